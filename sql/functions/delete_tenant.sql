-- Deletes a tenant with its webhooks, keys, quotas, reservations, alerts and counters; its events and rollups follow in batches (`prune`).
-- Returns whether there was such a tenant. The row's lock waits for batches that are being recorded.
create or replace function delete_tenant(tenant uuid)
returns boolean
language plpgsql
as $$
begin
  perform from tenants where id = tenant for update;
  if not found then
    return false;
  end if;
  delete from webhooks where tenant_id = tenant;
  delete from alerts where tenant_id = tenant;
  delete from usage_hours where tenant_id = tenant;
  delete from usage_features where tenant_id = tenant;
  delete from usage_periods where tenant_id = tenant;
  delete from features where tenant_id = tenant;
  delete from quotas where tenant_id = tenant;
  delete from reservations where tenant_id = tenant;
  delete from tenants where id = tenant;
  insert into deleted_tenants (tenant_id) values (tenant);
  return true;
end
$$;
