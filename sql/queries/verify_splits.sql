-- Where the counters of splits per period differ from their quarters, as far back as those are kept. Deleted tenants
-- are skipped.
with expected as (
  select q.tenant_id, p.period_start, q.split, q.value, sum(q.total_tokens)::bigint as total_tokens,
         sum(q.event_count)::bigint as event_count, sum(q.cost_nanos)::bigint as cost_nanos,
         sum(q.priced_events)::bigint as priced_events, sum(q.input_tokens)::bigint as input_tokens,
         sum(q.cache_read_tokens)::bigint as cache_read_tokens,
         sum(q.cache_write_tokens)::bigint as cache_write_tokens, sum(q.output_tokens)::bigint as output_tokens,
         sum(q.reasoning_tokens)::bigint as reasoning_tokens
  from split_quarters q
  join tenants t on t.id = q.tenant_id
  cross join lateral billing_period(q.quarter, t.billing_day, t.timezone) as p
  group by 1, 2, 3, 4
)
select coalesce(e.tenant_id, a.tenant_id) as tenant_id, coalesce(e.split, a.split) as split,
       coalesce(e.value, a.value) as value, coalesce(e.period_start, a.period_start) as period_start,
       coalesce(e.total_tokens, 0) as expected_tokens, coalesce(a.total_tokens, 0) as actual_tokens,
       coalesce(e.event_count, 0) as expected_events, coalesce(a.event_count, 0) as actual_events,
       coalesce(e.cost_nanos, 0) as expected_cost_nanos, coalesce(a.cost_nanos, 0) as actual_cost_nanos
from expected e full join usage_splits a
  on e.tenant_id = a.tenant_id and e.period_start = a.period_start and e.split = a.split and e.value = a.value
where (
    e.total_tokens, e.event_count, e.cost_nanos, e.priced_events, e.input_tokens, e.cache_read_tokens,
    e.cache_write_tokens, e.output_tokens, e.reasoning_tokens
  ) is distinct from (
    a.total_tokens, a.event_count, a.cost_nanos, a.priced_events, a.input_tokens, a.cache_read_tokens,
    a.cache_write_tokens, a.output_tokens, a.reasoning_tokens
  )
  and coalesce(e.tenant_id, a.tenant_id) not in (select tenant_id from deleted_tenants)
  and coalesce(e.period_start, a.period_start) >= (select rollups_pruned_before from event_retention)
order by 1, 2, 3, 4
