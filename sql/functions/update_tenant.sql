-- Changes a tenant's settings; null leaves one as it is. Returns no row when there is no such tenant.
-- A new billing day or time zone moves every period boundary, so all counters of the tenant are rebuilt from rollups,
-- in this transaction. The update's row lock keeps record_events away from the tenant meanwhile.
-- Then alerts are raised for what is reached now and was not before; what is no longer reached is armed again, because
-- a new quota is a new version. Who was told stays told: a threshold reached before and after raises nothing.
-- Raises 22023 (invalid_parameter_value) for an unknown time zone, 23505 for a name that is taken.
create or replace function update_tenant(
  tenant uuid, new_name text, new_quota bigint, new_billing_day int, new_timezone text, new_thresholds int[] default null
)
returns setof tenants
language plpgsql
as $$
#variable_conflict use_column
declare
  old tenants;
  new tenants;
  before record;
  after record;
begin
  perform check_timezone(new_timezone);
  select * into old from tenants where id = tenant for no key update;
  if not found then
    return;
  end if;
  select * into before from open_usage(old);
  update tenants
  set name = coalesce(new_name, name),
      monthly_quota = coalesce(new_quota, monthly_quota),
      quota_version = quota_version + coalesce(new_quota <> monthly_quota, false)::int,
      billing_day = coalesce(new_billing_day, billing_day),
      timezone = coalesce(new_timezone, timezone),
      thresholds = coalesce(new_thresholds, thresholds)
  where id = tenant
  returning * into new;
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
  select * into after from open_usage(new);
  perform raise_alert(
    tenant, tenant, after.period_start, after.period_end, threshold, new.quota_version, new.monthly_quota, after.total_tokens
  )
  from unnest(new.thresholds) as threshold
  where threshold_reached(after.total_tokens, new.monthly_quota, threshold)
    and not (threshold = any (old.thresholds) and threshold_reached(before.total_tokens, old.monthly_quota, threshold))
  order by threshold;
  return next new;
end
$$;
