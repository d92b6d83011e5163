-- Makes the counters of a tenant's quota anew, or of all its quotas (null), from rollups and holds. A quota beside the monthly one
-- starts again with its open period. The caller holds the tenant's row against record_events and reserve_tokens.
create or replace function rebuild_counters(tenant uuid, only_quota uuid default null)
returns void
language sql
as $$
  update quotas
  set counts_from = (
    select p.period_start from tenants t, lateral quota_period(now(), quotas.period, t.billing_day, t.timezone) as p where t.id = tenant
  )
  where tenant_id = tenant and (only_quota is null or id = only_quota);

  delete from usage_periods where tenant_id = tenant and (only_quota is null or quota_id = only_quota);

  insert into usage_periods (tenant_id, quota_id, period_start, period_end, total_tokens, event_count, reserved_tokens)
  select * from expected_counters(tenant, coalesce((select counts_from from quotas where tenant_id = tenant and id = only_quota), '-infinity'))
  where only_quota is null or quota_id = only_quota;
$$;
