-- Deletes at most `p_batch` minutes before `p_cutoff` and returns how many; counters stay. The hours go with them.
-- Tenant by tenant, since the index on minutes leads with the tenant: a scan of the whole table per batch would take
-- longer the more is kept. The cutoff is noted first, in the same transaction, so that `verify` never compares counters
-- with minutes that are gone.
create or replace function prune_rollups(p_cutoff timestamptz, p_batch int)
returns bigint
language sql
as $$
  delete from usage_hours
  where ctid = any (array(
    select old.ctid
    from tenants,
         lateral (
           select ctid from usage_hours
           where tenant_id = tenants.id and hour < p_cutoff - interval '1 hour'
           order by hour limit p_batch for update skip locked
         ) as old
    limit p_batch
  ));
  update event_retention set rollups_pruned_before = greatest(rollups_pruned_before, p_cutoff);
  with doomed as (
    select old.ctid
    from tenants,
         lateral (
           select ctid from rollups
           where tenant_id = tenants.id and minute < p_cutoff
           order by minute limit p_batch for update skip locked
         ) as old
    limit p_batch
  ),
  deleted as (
    delete from rollups where ctid = any (array(select ctid from doomed)) returning 1
  )
  select count(*) from deleted;
$$;
