-- Changes a tenant's settings; null leaves one as it is. Returns no row when there is no such tenant.
-- A new billing day or time zone moves every period boundary, so all counters of the tenant are made anew: that is a job of its own
-- (rebuild_start), which has come to its end here when the tenant is small; until then both settings stay as they are.
-- All else is changed at once. Then alerts are raised for what is reached now and was not before; what is no longer reached is armed
-- again, because a new quota is a new version. Who was told stays told: a threshold reached before and after raises nothing.
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
  pending tenant_rebuilds;
  told text[];
begin
  perform check_timezone(new_timezone);
  select * into old from tenants where id = tenant for no key update;
  if not found then
    return;
  end if;
  told := told_thresholds(tenant);
  if num_nonnulls(new_name, new_quota, new_hard, new_thresholds, new_fail_mode) > 0 then
    update tenants
    set name = coalesce(new_name, name),
        monthly_quota = coalesce(new_quota, monthly_quota),
        monthly_hard = coalesce(new_hard, monthly_hard),
        quota_version = quota_version + coalesce(new_quota <> monthly_quota, false)::int,
        thresholds = coalesce(new_thresholds, thresholds),
        fail_mode = coalesce(new_fail_mode, fail_mode)
    where id = tenant;
    perform alert_reached(tenant, told);
  end if;
  select * into pending from tenant_rebuilds where tenant_id = tenant;
  if new_billing_day is not null or new_timezone is not null then
    perform rebuild_start(
      tenant, coalesce(new_billing_day, pending.billing_day, old.billing_day), coalesce(new_timezone, pending.timezone, old.timezone)
    );
  end if;
  return query select * from tenants where id = tenant;
end
$$;
