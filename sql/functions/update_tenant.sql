-- Changes a tenant's settings; null leaves one as it is. Returns no row when there is no such tenant. A new billing day
-- or time zone moves every period boundary, so all counters of the tenant are made anew: that is a job of its own
-- (rebuild_start), which has come to its end here when the tenant is small; until then both settings stay as they are.
-- Everything else changes at once. Then alerts are raised for what is reached now and was not before; what is no longer
-- reached is armed again, because a new quota is a new version. Who was told stays told: a threshold reached before and
-- after raises nothing. Raises 22023 (invalid_parameter_value) for an unknown time zone, 23505 for a name that is
-- taken.
create or replace function update_tenant(
  p_tenant uuid, p_name text, p_monthly_quota bigint, p_monthly_hard boolean, p_billing_day int, p_timezone text,
  p_thresholds int[], p_fail_mode text
)
returns setof tenants
language plpgsql
as $$
declare
  v_old tenants;
  v_pending tenant_rebuilds;
  v_told text[];
begin
  perform check_timezone(p_timezone);
  select * into v_old from tenants where id = p_tenant for no key update;
  if not found then
    return;
  end if;
  v_told := told_thresholds(p_tenant);
  if num_nonnulls(p_name, p_monthly_quota, p_monthly_hard, p_thresholds, p_fail_mode) > 0 then
    update tenants
    set name = coalesce(p_name, name),
        monthly_quota = coalesce(p_monthly_quota, monthly_quota),
        monthly_hard = coalesce(p_monthly_hard, monthly_hard),
        quota_version = quota_version + coalesce(p_monthly_quota <> monthly_quota, false)::int,
        thresholds = coalesce(p_thresholds, thresholds),
        fail_mode = coalesce(p_fail_mode, fail_mode)
    where id = p_tenant;
    perform alert_reached(p_tenant, v_told);
  end if;
  select * into v_pending from tenant_rebuilds where tenant_id = p_tenant;
  if p_billing_day is not null or p_timezone is not null then
    perform rebuild_start(
      p_tenant,
      coalesce(p_billing_day, v_pending.billing_day, v_old.billing_day),
      coalesce(p_timezone, v_pending.timezone, v_old.timezone)
    );
  end if;
  return query select * from tenants where id = p_tenant;
end
$$;
