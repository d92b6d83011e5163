-- Where rollups differ from the raw events they were made of, as far back as those are kept. Deleted tenants are none
-- of it.
with kept as (select greatest(pruned_before, rollups_pruned_before) as since from event_retention),
expected as (
  select tenant_id, coalesce(counted_as, feature) as feature,
         date_bin('1 minute', created_at, timestamptz 'epoch') as minute,
         sum(tokens)::bigint as total_tokens, count(*) as event_count
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
       coalesce(e.event_count, 0) as expected_events, coalesce(a.event_count, 0) as actual_events
from expected e full join actual a
  on e.tenant_id = a.tenant_id and e.feature = a.feature and e.minute = a.minute
where (e.total_tokens, e.event_count) is distinct from (a.total_tokens, a.event_count)
order by 1, 2, 3
