-- Where the quota counters differ from the rollups of their period, as far back as those are kept.
with expected as (
  select tenant_id, period_start, period_end, sum(total_tokens)::bigint as total_tokens, sum(event_count)::bigint as event_count
  from expected_usage group by 1, 2, 3
)
select coalesce(e.tenant_id, a.tenant_id) as tenant_id, coalesce(e.period_start, a.period_start) as period_start,
       coalesce(e.total_tokens, 0) as expected_tokens, coalesce(a.total_tokens, 0) as actual_tokens,
       coalesce(e.event_count, 0) as expected_events, coalesce(a.event_count, 0) as actual_events
from expected e full join (select * from usage_periods where quota_id = tenant_id) as a
  on e.tenant_id = a.tenant_id and e.period_start = a.period_start and e.period_end = a.period_end
where (e.total_tokens, e.event_count) is distinct from (a.total_tokens, a.event_count)
  and coalesce(e.period_start, a.period_start) >= (select rollups_pruned_before from event_retention)
order by 1, 2
