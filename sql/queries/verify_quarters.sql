-- Where the quarters of splits differ from the raw events they were made of, as far back as those are kept. Deleted
-- tenants are skipped.
with kept as (
  select date_bin('15 minutes', greatest(pruned_before, rollups_pruned_before), timestamptz 'epoch')
         + interval '15 minutes' as since
  from event_retention
),
expected as (
  select e.tenant_id, s.split, case when s.split = any (e.remainders) then '(other)' else s.value end as value,
         date_bin('15 minutes', e.created_at, timestamptz 'epoch') as quarter,
         sum(e.tokens)::bigint as total_tokens, count(*) as event_count,
         coalesce(sum(e.cost_nanos), 0)::bigint as cost_nanos, count(e.cost_nanos) as priced_events,
         coalesce(sum(e.input_tokens), 0) as input_tokens, coalesce(sum(e.cache_read_tokens), 0) as cache_read_tokens,
         coalesce(sum(e.cache_write_tokens), 0) as cache_write_tokens,
         coalesce(sum(e.output_tokens), 0) as output_tokens, coalesce(sum(e.reasoning_tokens), 0) as reasoning_tokens
  from events e cross join kept cross join lateral split_values(e.model, e.user_id, e.dimensions) as s
  where e.created_at >= since and e.tenant_id not in (select tenant_id from deleted_tenants)
  group by 1, 2, 3, 4
),
actual as (
  select split_quarters.* from split_quarters, kept
  where quarter >= since and tenant_id not in (select tenant_id from deleted_tenants)
)
select coalesce(e.tenant_id, a.tenant_id) as tenant_id, coalesce(e.split, a.split) as split,
       coalesce(e.value, a.value) as value, coalesce(e.quarter, a.quarter) as minute,
       coalesce(e.total_tokens, 0) as expected_tokens, coalesce(a.total_tokens, 0) as actual_tokens,
       coalesce(e.event_count, 0) as expected_events, coalesce(a.event_count, 0) as actual_events,
       coalesce(e.cost_nanos, 0) as expected_cost_nanos, coalesce(a.cost_nanos, 0) as actual_cost_nanos
from expected e full join actual a
  on e.tenant_id = a.tenant_id and e.split = a.split and e.value = a.value and e.quarter = a.quarter
where (
    e.total_tokens, e.event_count, e.cost_nanos, e.priced_events, e.input_tokens, e.cache_read_tokens,
    e.cache_write_tokens, e.output_tokens, e.reasoning_tokens
  ) is distinct from (
    a.total_tokens, a.event_count, a.cost_nanos, a.priced_events, a.input_tokens, a.cache_read_tokens,
    a.cache_write_tokens, a.output_tokens, a.reasoning_tokens
  )
order by 1, 2, 3, 4
