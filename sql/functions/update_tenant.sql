-- Changes a tenant's settings; null leaves one as it is. Returns no row when there is no such tenant.
-- A new billing day or time zone moves every period boundary, so all counters of the tenant are rebuilt,
-- in this transaction. The update's row lock keeps record_events and reserve_tokens away from the tenant meanwhile.
-- Then alerts are raised for what is reached now and was not before; what is no longer reached is armed again, because
-- a new quota is a new version. Who was told stays told: a threshold reached before and after raises nothing.
-- Raises 22023 (invalid_parameter_value) for an unknown time zone, 23505 for a name that is taken.
create or replace function update_tenant(
  tenant uuid, new_name text, new_quota bigint, new_hard boolean, new_billing_day int, new_timezone text, new_thresholds int[],
  new_fail_mode text
)
returns setof tenants
language plpgsql
as $$
#variable_conflict use_column
declare
  old tenants;
  new tenants;
  told text[];
begin
  perform check_timezone(new_timezone);
  select * into old from tenants where id = tenant for no key update;
  if not found then
    return;
  end if;
  told := told_thresholds(tenant);
  update tenants
  set name = coalesce(new_name, name),
      monthly_quota = coalesce(new_quota, monthly_quota),
      monthly_hard = coalesce(new_hard, monthly_hard),
      quota_version = quota_version + coalesce(new_quota <> monthly_quota, false)::int,
      billing_day = coalesce(new_billing_day, billing_day),
      timezone = coalesce(new_timezone, timezone),
      thresholds = coalesce(new_thresholds, thresholds),
      fail_mode = coalesce(new_fail_mode, fail_mode)
  where id = tenant
  returning * into new;
  if (old.billing_day, old.timezone) is distinct from (new.billing_day, new.timezone) then
    delete from usage_features where tenant_id = tenant;
    insert into usage_features (tenant_id, period_start, feature, total_tokens, event_count)
    select tenant_id, period_start, feature, total_tokens, event_count from expected_usage where tenant_id = tenant;
    perform rebuild_counters(tenant);
  end if;
  perform alert_reached(tenant, told);
  return next new;
end
$$;
