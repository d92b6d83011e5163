-- Adds what record_events has just recorded to rebuilds that have taken those quarters already; later ones they will
-- take themselves. The caller holds the tenants' rows, so no step runs meanwhile. `p_splits` may be null.
create or replace function rebuild_follow(p_rollups usage_move[], p_splits usage_move[])
returns void
language sql
as $$
  with periods as (
    select job.tenant_id, job.id, q.quarter, p.period_start, p.period_end
    from (
      select distinct m.tenant_id, date_bin('15 minutes', m.moment, timestamptz 'epoch') as quarter
      from unnest(p_rollups) as m
    ) as q
    join tenant_rebuilds job on job.tenant_id = q.tenant_id and q.quarter < job.counted_until
    cross join lateral billing_period(q.quarter, job.billing_day, job.timezone) as p
  ),
  splits as (
    select add_rebuilt_splits(array_agg(row(
      m.tenant_id, m.split, m.value, p.period_start, m.total_tokens, m.event_count, m.input_tokens,
      m.cache_read_tokens, m.cache_write_tokens, m.output_tokens, m.reasoning_tokens, m.cost_nanos, m.priced_events
    )::usage_move))
    from unnest(p_splits) as m join periods p on p.tenant_id = m.tenant_id and p.quarter = m.moment
  ),
  features as (
    insert into rebuilt_features as f (
      tenant_id, rebuild_id, period_start, period_end, feature, total_tokens, event_count, input_tokens,
      cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nanos, priced_events
    )
    select p.tenant_id, p.id, p.period_start, p.period_end, m.value, sum(m.total_tokens)::bigint,
           sum(m.event_count)::bigint, sum(m.input_tokens)::bigint, sum(m.cache_read_tokens)::bigint,
           sum(m.cache_write_tokens)::bigint, sum(m.output_tokens)::bigint, sum(m.reasoning_tokens)::bigint,
           sum(m.cost_nanos)::bigint, sum(m.priced_events)::bigint
    from unnest(p_rollups) as m
    join periods p
      on p.tenant_id = m.tenant_id and p.quarter = date_bin('15 minutes', m.moment, timestamptz 'epoch')
    group by 1, 2, 3, 4, 5
    order by 1, 2, 3, 5
    on conflict (tenant_id, rebuild_id, period_start, feature) do update
    set total_tokens = f.total_tokens + excluded.total_tokens,
        event_count = f.event_count + excluded.event_count,
        input_tokens = f.input_tokens + excluded.input_tokens,
        cache_read_tokens = f.cache_read_tokens + excluded.cache_read_tokens,
        cache_write_tokens = f.cache_write_tokens + excluded.cache_write_tokens,
        output_tokens = f.output_tokens + excluded.output_tokens,
        reasoning_tokens = f.reasoning_tokens + excluded.reasoning_tokens,
        cost_nanos = f.cost_nanos + excluded.cost_nanos,
        priced_events = f.priced_events + excluded.priced_events
  )
  select from splits
$$;
