-- The tenant's open billing period and what was counted in it, 0 without a counter.
create or replace function open_usage(tenant tenants)
returns table (period_start timestamptz, period_end timestamptz, total_tokens bigint)
language sql stable
as $$
  select p.period_start, p.period_end, coalesce(u.total_tokens, 0)
  from billing_period(now(), tenant.billing_day, tenant.timezone) as p
  left join usage_periods u on u.tenant_id = tenant.id and u.quota_id = tenant.id and u.period_start = p.period_start
$$;
