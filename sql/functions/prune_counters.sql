-- Deletes at most `p_batch` counters of additional quotas whose period was over before `p_cutoff` and
-- returns how many. The monthly ones stay. As in prune_rollups, the cutoff is noted first: `verify` compares only what
-- comes after it.
create or replace function prune_counters(p_cutoff timestamptz, p_batch int)
returns bigint
language sql
as $$
  update event_retention set rollups_pruned_before = greatest(rollups_pruned_before, p_cutoff);
  with doomed as (
    select ctid from usage_periods
    where quota_id <> tenant_id and period_end < p_cutoff limit p_batch for update skip locked
  ),
  deleted as (
    delete from usage_periods where ctid = any (array(select ctid from doomed)) returning 1
  )
  select count(*) from deleted;
$$;
