-- Deletes at most `batch` events and rollups of a tenant that was deleted, and returns how many; null: there is no such tenant.
create or replace function prune_deleted_tenants(batch int)
returns bigint
language plpgsql
as $$
declare
  tenant uuid;
  deleted bigint;
  rest bigint;
begin
  select tenant_id into tenant from deleted_tenants order by deleted_at limit 1 for update skip locked;
  if not found then
    return null;
  end if;
  delete from events where ctid = any (array(select ctid from events where tenant_id = tenant limit batch));
  get diagnostics deleted = row_count;
  delete from rollups where ctid = any (array(select ctid from rollups where tenant_id = tenant limit batch - deleted));
  get diagnostics rest = row_count;
  if deleted + rest < batch then
    delete from deleted_tenants where tenant_id = tenant;
  end if;
  return deleted + rest;
end
$$;
