-- Where counters of quotas by model or per user differ from the events of their period, as far back as both are
-- complete, and from what is held. Deleted tenants are none of it.
with kept as (
  select greatest(pruned_before, rollups_pruned_before) as since from event_retention
),
counted as (
  select c.tenant_id, c.quota_id, c.user_id, p.period_start, sum(c.tokens)::bigint as total_tokens,
         sum(c.events)::bigint as event_count, sum(c.cost)::bigint as cost_nanos, sum(c.priced)::bigint as priced_events
  from (
    select q.tenant_id, q.quota_id, case when q.per_user then e.user_id else '' end as user_id, q.period,
           q.billing_day, q.timezone, date_bin('15 minutes', e.created_at, timestamptz 'epoch') as quarter,
           sum(e.tokens) as tokens, count(*) as events, coalesce(sum(e.cost_nanos), 0) as cost,
           count(e.cost_nanos) as priced
    from events e
    join tenant_quotas q on q.tenant_id = e.tenant_id and (q.model is not null or q.per_user)
      and (q.feature is null or q.feature = coalesce(e.counted_as, e.feature))
      and (q.model is null or q.model = e.model) and (not q.per_user or e.user_id is not null)
    group by 1, 2, 3, 4, 5, 6, 7
  ) as c
  cross join lateral quota_period(c.quarter, c.period, c.billing_day, c.timezone) as p
  group by 1, 2, 3, 4
),
expected as (
  select coalesce(c.tenant_id, h.tenant_id) as tenant_id, coalesce(c.quota_id, h.quota_id) as quota_id,
         coalesce(c.user_id, h.user_id) as user_id, coalesce(c.period_start, h.period_start) as period_start,
         coalesce(c.total_tokens, 0) as total_tokens, coalesce(c.event_count, 0) as event_count,
         coalesce(c.cost_nanos, 0) as cost_nanos, coalesce(c.priced_events, 0) as priced_events,
         coalesce(h.reserved_tokens, 0) as reserved_tokens
  from counted c full join expected_holds(null) as h using (tenant_id, quota_id, user_id, period_start)
),
actual as (
  select u.* from usage_periods u join quotas q on q.tenant_id = u.tenant_id and q.id = u.quota_id
  where q.model is not null or q.per_user
)
select q.tenant_id, q.id as quota_id, coalesce(e.user_id, a.user_id) as value,
       coalesce(e.period_start, a.period_start) as period_start,
       coalesce(e.total_tokens, 0) as expected_tokens, coalesce(a.total_tokens, 0) as actual_tokens,
       coalesce(e.event_count, 0) as expected_events, coalesce(a.event_count, 0) as actual_events,
       coalesce(e.reserved_tokens, 0) as expected_reserved, coalesce(a.reserved_tokens, 0) as actual_reserved,
       coalesce(e.cost_nanos, 0) as expected_cost_nanos, coalesce(a.cost_nanos, 0) as actual_cost_nanos
from expected e
full join actual a using (tenant_id, quota_id, user_id, period_start)
join quotas q on q.tenant_id = coalesce(e.tenant_id, a.tenant_id) and q.id = coalesce(e.quota_id, a.quota_id)
where coalesce(e.tenant_id, a.tenant_id) not in (select tenant_id from deleted_tenants)
  and (
    coalesce(e.reserved_tokens, 0) <> coalesce(a.reserved_tokens, 0)
    or (
      coalesce(e.period_start, a.period_start) >= greatest(q.complete_from, (select since from kept))
      and (
        coalesce(e.total_tokens, 0), coalesce(e.event_count, 0), coalesce(e.cost_nanos, 0),
        coalesce(e.priced_events, 0)
      ) <> (
        coalesce(a.total_tokens, 0), coalesce(a.event_count, 0), coalesce(a.cost_nanos, 0),
        coalesce(a.priced_events, 0)
      )
    )
  )
order by 1, 2, 3, 4
