-- Adds to the counters of a tenant's hours, and of its features by billing period. Moves are of split 'feature', and
-- their `moment` is the minute, or the quarter of an hour (where every period of every zone begins).
-- Locks: usage_hours, usage_features, each by key.
create or replace function move_counters(p_moves usage_move[])
returns void
language plpgsql
as $$
begin
  insert into usage_hours as h (tenant_id, hour, total_tokens, event_count, cost_nanos, priced_events)
  select m.tenant_id, date_bin('1 hour', m.moment, timestamptz 'epoch'), sum(m.total_tokens)::bigint,
         sum(m.event_count)::bigint, sum(m.cost_nanos)::bigint, sum(m.priced_events)::bigint
  from unnest(p_moves) as m
  group by 1, 2
  order by 1, 2
  on conflict on constraint usage_hours_pkey do update
  set total_tokens = h.total_tokens + excluded.total_tokens,
      event_count = h.event_count + excluded.event_count,
      cost_nanos = h.cost_nanos + excluded.cost_nanos,
      priced_events = h.priced_events + excluded.priced_events;

  insert into usage_features as f (
    tenant_id, period_start, feature, total_tokens, event_count, input_tokens, cache_read_tokens, cache_write_tokens,
    output_tokens, reasoning_tokens, cost_nanos, priced_events
  )
  select m.tenant_id, p.period_start, m.value, sum(m.total_tokens)::bigint, sum(m.event_count)::bigint,
         sum(m.input_tokens)::bigint, sum(m.cache_read_tokens)::bigint, sum(m.cache_write_tokens)::bigint,
         sum(m.output_tokens)::bigint, sum(m.reasoning_tokens)::bigint, sum(m.cost_nanos)::bigint,
         sum(m.priced_events)::bigint
  from unnest(p_moves) as m
  join billing_periods(
    array(select m.tenant_id from unnest(p_moves) as m),
    array(select date_bin('15 minutes', m.moment, timestamptz 'epoch') from unnest(p_moves) as m)
  ) as p on p.tenant_id = m.tenant_id and p.moment = date_bin('15 minutes', m.moment, timestamptz 'epoch')
  group by 1, 2, 3
  order by 1, 2, 3
  on conflict on constraint usage_features_pkey do update
  set total_tokens = f.total_tokens + excluded.total_tokens,
      event_count = f.event_count + excluded.event_count,
      input_tokens = f.input_tokens + excluded.input_tokens,
      cache_read_tokens = f.cache_read_tokens + excluded.cache_read_tokens,
      cache_write_tokens = f.cache_write_tokens + excluded.cache_write_tokens,
      output_tokens = f.output_tokens + excluded.output_tokens,
      reasoning_tokens = f.reasoning_tokens + excluded.reasoning_tokens,
      cost_nanos = f.cost_nanos + excluded.cost_nanos,
      priced_events = f.priced_events + excluded.priced_events;
end
$$;
