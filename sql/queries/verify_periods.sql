-- Where the quota counters differ from the rollups of their period, as far back as those are kept, and from what is
-- held; those by model or per user: verify_user_quotas. Deleted tenants are none of it.
select coalesce(e.tenant_id, a.tenant_id) as tenant_id, coalesce(e.quota_id, a.quota_id) as quota_id,
       coalesce(e.period_start, a.period_start) as period_start,
       coalesce(e.total_tokens, 0) as expected_tokens, coalesce(a.total_tokens, 0) as actual_tokens,
       coalesce(e.event_count, 0) as expected_events, coalesce(a.event_count, 0) as actual_events,
       coalesce(e.reserved_tokens, 0) as expected_reserved, coalesce(a.reserved_tokens, 0) as actual_reserved,
       coalesce(e.cost_nanos, 0) as expected_cost_nanos, coalesce(a.cost_nanos, 0) as actual_cost_nanos
from expected_counters(null, '-infinity') e
full join (
  select u.* from usage_periods u
  where (u.total_tokens, u.event_count, u.reserved_tokens) <> (0, 0, 0) and not exists (
    select from quotas q
    where q.tenant_id = u.tenant_id and q.id = u.quota_id and (q.model is not null or q.per_user)
  )
) as a
  on e.tenant_id = a.tenant_id and e.quota_id = a.quota_id
    and e.period_start = a.period_start and e.period_end = a.period_end
where (e.total_tokens, e.event_count, e.reserved_tokens, e.cost_nanos, e.priced_events)
    is distinct from (a.total_tokens, a.event_count, a.reserved_tokens, a.cost_nanos, a.priced_events)
  and coalesce(e.tenant_id, a.tenant_id) not in (select tenant_id from deleted_tenants)
  and coalesce(e.period_start, a.period_start) >= (select rollups_pruned_before from event_retention)
order by 1, 2, 3
