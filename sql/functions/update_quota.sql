-- Changes a quota; null leaves a setting as it is. Alerts follow as in update_tenant: a new limit is a new version.
-- Returns the id, null when there is no such quota.
create or replace function update_quota(quota uuid, new_limit bigint, is_hard boolean, new_thresholds int[])
returns uuid
language plpgsql
as $$
declare
  tenant uuid;
  told text[];
begin
  select t.id into tenant from tenants t join quotas q on q.tenant_id = t.id where q.id = quota for no key update of t;
  if not found then
    return null;
  end if;
  told := told_thresholds(tenant);
  update quotas
  set token_limit = coalesce(new_limit, token_limit),
      version = version + coalesce(new_limit <> token_limit, false)::int,
      hard = coalesce(is_hard, hard),
      thresholds = coalesce(new_thresholds, thresholds)
  where tenant_id = tenant and id = quota;
  if not found then
    return null;
  end if;
  perform alert_reached(tenant, told);
  return quota;
end
$$;
