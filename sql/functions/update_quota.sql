-- Changes a quota; null leaves a setting as it is. Alerts follow as in update_tenant: a new limit is a new version.
-- Returns the id, null when there is no such quota. A change that makes it equal to another is refused
-- (refuse_equal_quota).
create or replace function update_quota(p_quota uuid, p_token_limit bigint, p_hard boolean, p_thresholds int[])
returns uuid
language plpgsql
as $$
declare
  v_tenant uuid;
  v_told text[];
begin
  select t.id into v_tenant
  from tenants t join quotas q on q.tenant_id = t.id
  where q.id = p_quota for no key update of t;
  if not found then
    return null;
  end if;
  perform refuse_equal_quota(
    v_tenant, id, feature, model, metric, per_user, period, coalesce(p_token_limit, token_limit),
    coalesce(p_hard, hard)
  )
  from quotas
  where tenant_id = v_tenant and id = p_quota
    and (coalesce(p_token_limit, token_limit), coalesce(p_hard, hard)) <> (token_limit, hard);
  v_told := told_thresholds(v_tenant);
  update quotas
  set token_limit = coalesce(p_token_limit, token_limit),
      version = version + coalesce(p_token_limit <> token_limit, false)::int,
      hard = coalesce(p_hard, hard),
      thresholds = coalesce(p_thresholds, thresholds)
  where tenant_id = v_tenant and id = p_quota;
  if not found then
    return null;
  end if;
  perform alert_reached(v_tenant, v_told);
  return p_quota;
end
$$;
