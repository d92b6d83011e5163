-- Deletes what decides: a tenant with its webhooks, keys and quotas. From then on nobody sees, counts, alerts or
-- delivers anything of it. What has grown with it (events, counters, alerts …) follows in batches
-- (prune_deleted_tenants). Returns whether there was such a tenant. The row's lock waits for batches that are being
-- recorded.
create or replace function delete_tenant(p_tenant uuid)
returns boolean
language plpgsql
as $$
begin
  perform from tenants where id = p_tenant for update;
  if not found then
    return false;
  end if;
  delete from webhooks where tenant_id = p_tenant;
  delete from quotas where tenant_id = p_tenant;
  delete from tenant_rebuilds where tenant_id = p_tenant;
  delete from tenants where id = p_tenant;
  insert into deleted_tenants (tenant_id) values (p_tenant);
  return true;
end
$$;
