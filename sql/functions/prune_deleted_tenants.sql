-- Deletes at most `batch` rows of a tenant that was deleted, and returns how many; null: there is no such tenant.
create or replace function prune_deleted_tenants(batch int)
returns bigint
language plpgsql
as $$
declare
  tenant uuid;
  grown text;
  deleted bigint;
  rest bigint := batch;
begin
  select tenant_id into tenant from deleted_tenants order by deleted_at limit 1 for update skip locked;
  if not found then
    return null;
  end if;
  -- Deliveries before the alerts they refer to.
  foreach grown in array '{deliveries,alerts,events,rollups,usage_hours,usage_features,usage_periods,reservations,features,rebuilt_features}'::text[]
  loop
    execute format('delete from %I where ctid = any (array(select ctid from %1$I where tenant_id = $1 limit $2))', grown)
    using tenant, rest;
    get diagnostics deleted = row_count;
    rest := rest - deleted;
    exit when rest <= 0;
  end loop;
  if rest > 0 then
    delete from deleted_tenants where tenant_id = tenant;
  end if;
  return batch - rest;
end
$$;
