-- Where rollups differ from the raw events they were made of, as far back as those are kept. Deleted tenants are
-- skipped.
with kept as (select greatest(pruned_before, rollups_pruned_before) as since from event_retention),
expected as (
  select tenant_id, coalesce(counted_as, feature) as feature,
         date_bin('1 minute', created_at, timestamptz 'epoch') as minute,
         sum(tokens)::bigint as total_tokens, count(*) as event_count,
         coalesce(sum(cost_nanos), 0)::bigint as cost_nanos,
         count(cost_nanos) as priced_events, coalesce(sum(input_tokens), 0) as input_tokens,
         coalesce(sum(cache_read_tokens), 0) as cache_read_tokens,
         coalesce(sum(cache_write_tokens), 0) as cache_write_tokens, coalesce(sum(output_tokens), 0) as output_tokens,
         coalesce(sum(reasoning_tokens), 0) as reasoning_tokens
  from events, kept
  where created_at >= since and tenant_id not in (select tenant_id from deleted_tenants)
  group by 1, 2, 3
),
actual as (
  select rollups.* from rollups, kept
  where minute >= since and tenant_id not in (select tenant_id from deleted_tenants)
)
select coalesce(e.tenant_id, a.tenant_id) as tenant_id, coalesce(e.feature, a.feature) as feature,
       coalesce(e.minute, a.minute) as minute,
       coalesce(e.total_tokens, 0) as expected_tokens, coalesce(a.total_tokens, 0) as actual_tokens,
       coalesce(e.event_count, 0) as expected_events, coalesce(a.event_count, 0) as actual_events,
       coalesce(e.cost_nanos, 0) as expected_cost_nanos, coalesce(a.cost_nanos, 0) as actual_cost_nanos
from expected e full join actual a
  on e.tenant_id = a.tenant_id and e.feature = a.feature and e.minute = a.minute
where (
    e.total_tokens, e.event_count, e.cost_nanos, e.priced_events, e.input_tokens, e.cache_read_tokens,
    e.cache_write_tokens, e.output_tokens, e.reasoning_tokens
  ) is distinct from (
    a.total_tokens, a.event_count, a.cost_nanos, a.priced_events, a.input_tokens, a.cache_read_tokens,
    a.cache_write_tokens, a.output_tokens, a.reasoning_tokens
  )
order by 1, 2, 3
