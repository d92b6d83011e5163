-- Deletes at most `p_batch` rows of a tenant that was deleted, and returns how many; null: there is no such tenant.
create or replace function prune_deleted_tenants(p_batch int)
returns bigint
language plpgsql
as $$
declare
  v_tenant uuid;
  v_table text;
  v_deleted bigint;
  v_rest bigint := p_batch;
begin
  select tenant_id into v_tenant from deleted_tenants order by deleted_at limit 1 for update skip locked;
  if not found then
    return null;
  end if;
  foreach v_table in array array[
    'deliveries', 'alerts', -- in this order: a delivery refers to its alert
    'events', 'rollups', 'usage_hours', 'usage_features', 'usage_periods', 'reservations', 'features',
    'rebuilt_features', 'usage_splits', 'split_quarters', 'split_counts', 'rebuilt_splits', 'quota_users'
  ]
  loop
    execute format(
      'delete from %I where ctid = any (array(select ctid from %1$I where tenant_id = $1 limit $2))', v_table
    ) using v_tenant, v_rest;
    get diagnostics v_deleted = row_count;
    v_rest := v_rest - v_deleted;
    exit when v_rest <= 0;
  end loop;
  if v_rest > 0 then
    delete from deleted_tenants where tenant_id = v_tenant;
  end if;
  return p_batch - v_rest;
end
$$;
