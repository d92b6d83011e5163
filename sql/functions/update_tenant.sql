-- Changes a tenant's settings; null leaves one as it is. Returns no row when there is no such tenant.
-- A new billing day or time zone moves every period boundary, so all counters of the tenant are rebuilt from rollups,
-- in this transaction. The update's row lock keeps record_events away from the tenant meanwhile.
-- Raises 22023 (invalid_parameter_value) for an unknown time zone, 23505 for a name that is taken.
create or replace function update_tenant(tenant uuid, new_name text, new_quota bigint, new_billing_day int, new_timezone text)
returns setof tenants
language plpgsql
as $$
#variable_conflict use_column
declare
  old tenants;
  new tenants;
begin
  perform check_timezone(new_timezone);
  select * into old from tenants where id = tenant for no key update;
  update tenants
  set name = coalesce(new_name, name),
      monthly_quota = coalesce(new_quota, monthly_quota),
      billing_day = coalesce(new_billing_day, billing_day),
      timezone = coalesce(new_timezone, timezone)
  where id = tenant
  returning * into new;
  if not found then
    return;
  end if;
  if (old.billing_day, old.timezone) is distinct from (new.billing_day, new.timezone) then
    delete from usage_features where tenant_id = tenant;
    delete from usage_periods where tenant_id = tenant and quota_id = tenant;
    insert into usage_features (tenant_id, period_start, feature, total_tokens, event_count)
    select tenant_id, period_start, feature, total_tokens, event_count from expected_usage where tenant_id = tenant;
    insert into usage_periods (tenant_id, quota_id, period_start, period_end, total_tokens, event_count)
    select tenant_id, tenant_id, period_start, period_end, sum(total_tokens), sum(event_count)
    from expected_usage where tenant_id = tenant
    group by 1, 2, 3, 4;
  end if;
  return next new;
end
$$;
