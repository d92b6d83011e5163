-- Deletes a quota with its counters; alerts that it raised stay. Returns the id, null when there is no such quota.
create or replace function delete_quota(p_quota uuid)
returns uuid
language plpgsql
as $$
declare
  v_tenant uuid;
begin
  select t.id into v_tenant
  from tenants t join quotas q on q.tenant_id = t.id
  where q.id = p_quota for no key update of t;
  delete from quotas where tenant_id = v_tenant and id = p_quota;
  if not found then
    return null;
  end if;
  delete from quota_users where tenant_id = v_tenant and quota_id = p_quota;
  delete from usage_periods where tenant_id = v_tenant and quota_id = p_quota;
  return p_quota;
end
$$;
