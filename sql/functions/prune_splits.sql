-- Deletes at most `p_batch` quarters of splits before `p_cutoff` and returns how many; the counters per period stay. As
-- in prune_rollups, tenant by tenant, and the cutoff is noted first.
create or replace function prune_splits(p_cutoff timestamptz, p_batch int)
returns bigint
language sql
as $$
  update event_retention set rollups_pruned_before = greatest(rollups_pruned_before, p_cutoff);
  with doomed as (
    select old.ctid
    from tenants,
         lateral (
           select ctid from split_quarters
           where tenant_id = tenants.id and quarter < p_cutoff - interval '15 minutes'
           order by quarter limit p_batch for update skip locked
         ) as old
    limit p_batch
  ),
  deleted as (
    delete from split_quarters where ctid = any (array(select ctid from doomed)) returning 1
  )
  select count(*) from deleted;
$$;
