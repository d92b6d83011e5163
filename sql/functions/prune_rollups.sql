-- Deletes at most `batch` minutes before `cutoff` and returns how many; counters stay. The hours go with them. Tenant by tenant, since the index on
-- minutes leads with the tenant: a scan of the whole table per batch would take longer the more is kept.
-- The cutoff is noted first, in the same transaction, so that `verify` never compares counters with minutes that are gone.
create or replace function prune_rollups(cutoff timestamptz, batch int)
returns bigint
language sql
as $$
  delete from usage_hours
  where ctid = any (array(
    select old.ctid
    from tenants,
         lateral (
           select ctid from usage_hours
           where tenant_id = tenants.id and hour < cutoff - interval '1 hour'
           order by hour limit batch for update skip locked
         ) as old
    limit batch
  ));
  update event_retention set rollups_pruned_before = greatest(rollups_pruned_before, cutoff);
  with doomed as (
    select old.ctid
    from tenants,
         lateral (
           select ctid from rollups
           where tenant_id = tenants.id and minute < cutoff
           order by minute limit batch for update skip locked
         ) as old
    limit batch
  ),
  deleted as (
    delete from rollups where ctid = any (array(select ctid from doomed)) returning 1
  )
  select count(*) from deleted;
$$;
