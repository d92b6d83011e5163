-- Deletes a quota with its counters; alerts that it raised stay. Returns the id, null when there is no such quota.
create or replace function delete_quota(quota uuid)
returns uuid
language plpgsql
as $$
declare
  tenant uuid;
begin
  select t.id into tenant from tenants t join quotas q on q.tenant_id = t.id where q.id = quota for no key update of t;
  delete from quotas where tenant_id = tenant and id = quota;
  if not found then
    return null;
  end if;
  delete from usage_periods where tenant_id = tenant and quota_id = quota;
  return quota;
end
$$;
