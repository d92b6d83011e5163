-- Takes the quarters of a rebuild from `p_from` until before `p_until`, all of the period to be that starts at
-- `p_period_start`, into its splits. As rebuild_step does with the minutes.
create or replace function rebuild_splits(
  p_job tenant_rebuilds, p_period_start timestamptz, p_from timestamptz, p_until timestamptz
)
returns void
language sql
as $$
  select add_rebuilt_splits(array(
    select row(
      p_job.tenant_id, q.split, q.value, p_period_start, sum(q.total_tokens)::bigint, sum(q.event_count)::bigint,
      sum(q.input_tokens)::bigint, sum(q.cache_read_tokens)::bigint, sum(q.cache_write_tokens)::bigint,
      sum(q.output_tokens)::bigint, sum(q.reasoning_tokens)::bigint, sum(q.cost_nanos)::bigint,
      sum(q.priced_events)::bigint
    )::usage_move
    from split_quarters q
    where q.tenant_id = p_job.tenant_id and q.quarter >= p_from and q.quarter < p_until
    group by q.split, q.value
  ))
$$;
