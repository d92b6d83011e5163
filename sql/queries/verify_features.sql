-- Where the per-feature counters differ from the rollups of their period, as far back as those are kept. Deleted
-- tenants are none of it.
select coalesce(e.tenant_id, a.tenant_id) as tenant_id, coalesce(e.feature, a.feature) as feature,
       coalesce(e.period_start, a.period_start) as period_start,
       coalesce(e.total_tokens, 0) as expected_tokens, coalesce(a.total_tokens, 0) as actual_tokens,
       coalesce(e.event_count, 0) as expected_events, coalesce(a.event_count, 0) as actual_events,
       coalesce(e.cost_nanos, 0) as expected_cost_nanos, coalesce(a.cost_nanos, 0) as actual_cost_nanos
from expected_usage e full join usage_features a
  on e.tenant_id = a.tenant_id and e.feature = a.feature and e.period_start = a.period_start
where (
    e.total_tokens, e.event_count, e.cost_nanos, e.priced_events, e.input_tokens, e.cache_read_tokens,
    e.cache_write_tokens, e.output_tokens, e.reasoning_tokens
  ) is distinct from (
    a.total_tokens, a.event_count, a.cost_nanos, a.priced_events, a.input_tokens, a.cache_read_tokens,
    a.cache_write_tokens, a.output_tokens, a.reasoning_tokens
  )
  and coalesce(e.tenant_id, a.tenant_id) not in (select tenant_id from deleted_tenants)
  and coalesce(e.period_start, a.period_start) >= (select rollups_pruned_before from event_retention)
order by 1, 2, 3
