-- Adds to the splits of rebuilds; `moment` is the start of the period to be.
create or replace function add_rebuilt_splits(p_moves usage_move[])
returns void
language sql
as $$
  insert into rebuilt_splits as s (
    tenant_id, rebuild_id, period_start, split, value, total_tokens, event_count, input_tokens, cache_read_tokens,
    cache_write_tokens, output_tokens, reasoning_tokens, cost_nanos, priced_events
  )
  select m.tenant_id, job.id, m.moment, m.split, m.value, sum(m.total_tokens)::bigint, sum(m.event_count)::bigint,
         sum(m.input_tokens)::bigint, sum(m.cache_read_tokens)::bigint, sum(m.cache_write_tokens)::bigint,
         sum(m.output_tokens)::bigint, sum(m.reasoning_tokens)::bigint, sum(m.cost_nanos)::bigint,
         sum(m.priced_events)::bigint
  from unnest(p_moves) as m join tenant_rebuilds job using (tenant_id)
  group by 1, 2, 3, 4, 5
  order by 1, 2, 3, 4, 5
  on conflict (tenant_id, rebuild_id, period_start, split, value) do update
  set total_tokens = s.total_tokens + excluded.total_tokens,
      event_count = s.event_count + excluded.event_count,
      input_tokens = s.input_tokens + excluded.input_tokens,
      cache_read_tokens = s.cache_read_tokens + excluded.cache_read_tokens,
      cache_write_tokens = s.cache_write_tokens + excluded.cache_write_tokens,
      output_tokens = s.output_tokens + excluded.output_tokens,
      reasoning_tokens = s.reasoning_tokens + excluded.reasoning_tokens,
      cost_nanos = s.cost_nanos + excluded.cost_nanos,
      priced_events = s.priced_events + excluded.priced_events
$$;
