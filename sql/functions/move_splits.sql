-- Adds to the counters of splits other than 'feature': by the quarter of an hour, and by the tenant's billing period.
-- `moment` is the quarter.
create or replace function move_splits(p_moves usage_move[])
returns void
language plpgsql
as $$
begin
  insert into split_quarters as q (
    tenant_id, split, value, quarter, total_tokens, event_count, input_tokens, cache_read_tokens, cache_write_tokens,
    output_tokens, reasoning_tokens, cost_nanos, priced_events
  )
  select m.tenant_id, m.split, m.value, m.moment, m.total_tokens, m.event_count, m.input_tokens, m.cache_read_tokens,
         m.cache_write_tokens, m.output_tokens, m.reasoning_tokens, m.cost_nanos, m.priced_events
  from unnest(p_moves) as m
  order by 1, 2, 3, 4
  on conflict on constraint split_quarters_pkey do update
  set total_tokens = q.total_tokens + excluded.total_tokens,
      event_count = q.event_count + excluded.event_count,
      input_tokens = q.input_tokens + excluded.input_tokens,
      cache_read_tokens = q.cache_read_tokens + excluded.cache_read_tokens,
      cache_write_tokens = q.cache_write_tokens + excluded.cache_write_tokens,
      output_tokens = q.output_tokens + excluded.output_tokens,
      reasoning_tokens = q.reasoning_tokens + excluded.reasoning_tokens,
      cost_nanos = q.cost_nanos + excluded.cost_nanos,
      priced_events = q.priced_events + excluded.priced_events;

  insert into usage_splits as s (
    tenant_id, period_start, split, value, total_tokens, event_count, input_tokens, cache_read_tokens,
    cache_write_tokens, output_tokens, reasoning_tokens, cost_nanos, priced_events
  )
  select m.tenant_id, p.period_start, m.split, m.value, sum(m.total_tokens)::bigint, sum(m.event_count)::bigint,
         sum(m.input_tokens)::bigint, sum(m.cache_read_tokens)::bigint, sum(m.cache_write_tokens)::bigint,
         sum(m.output_tokens)::bigint, sum(m.reasoning_tokens)::bigint, sum(m.cost_nanos)::bigint,
         sum(m.priced_events)::bigint
  from unnest(p_moves) as m
  join billing_periods(
    array(select m.tenant_id from unnest(p_moves) as m), array(select m.moment from unnest(p_moves) as m)
  ) as p using (tenant_id, moment)
  group by 1, 2, 3, 4
  order by 1, 2, 3, 4
  on conflict on constraint usage_splits_pkey do update
  set total_tokens = s.total_tokens + excluded.total_tokens,
      event_count = s.event_count + excluded.event_count,
      input_tokens = s.input_tokens + excluded.input_tokens,
      cache_read_tokens = s.cache_read_tokens + excluded.cache_read_tokens,
      cache_write_tokens = s.cache_write_tokens + excluded.cache_write_tokens,
      output_tokens = s.output_tokens + excluded.output_tokens,
      reasoning_tokens = s.reasoning_tokens + excluded.reasoning_tokens,
      cost_nanos = s.cost_nanos + excluded.cost_nanos,
      priced_events = s.priced_events + excluded.priced_events;
end
$$;
