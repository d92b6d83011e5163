-- Where tokens per hour differ from the minutes they were made of, as far back as those are kept. Deleted tenants are
-- none of it.
with expected as (
  select tenant_id, date_bin('1 hour', minute, timestamptz 'epoch') as hour,
         sum(total_tokens)::bigint as total_tokens, sum(event_count)::bigint as event_count,
         sum(cost_nanos)::bigint as cost_nanos, sum(priced_events)::bigint as priced_events
  from rollups
  where tenant_id not in (select tenant_id from deleted_tenants)
  group by 1, 2
)
select coalesce(e.tenant_id, a.tenant_id) as tenant_id, coalesce(e.hour, a.hour) as minute,
       coalesce(e.total_tokens, 0) as expected_tokens, coalesce(a.total_tokens, 0) as actual_tokens,
       coalesce(e.event_count, 0) as expected_events, coalesce(a.event_count, 0) as actual_events,
       coalesce(e.cost_nanos, 0) as expected_cost_nanos, coalesce(a.cost_nanos, 0) as actual_cost_nanos
from expected e full join usage_hours a on e.tenant_id = a.tenant_id and e.hour = a.hour
where (
    (e.total_tokens, e.cost_nanos, e.priced_events) is distinct from (a.total_tokens, a.cost_nanos, a.priced_events)
    or e.event_count is distinct from coalesce(a.event_count, e.event_count)
  )
  and coalesce(e.tenant_id, a.tenant_id) not in (select tenant_id from deleted_tenants)
  and coalesce(e.hour, a.hour) >= (select rollups_pruned_before from event_retention)
order by 1, 2
