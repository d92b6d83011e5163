-- Deletes at most `p_batch` events created before `p_cutoff` and returns how many. Small batches keep locks and WAL
-- bursts short. The cutoff is noted first, in the same transaction, so that `verify` never compares rollups with events
-- that are gone.
create or replace function prune_events(p_cutoff timestamptz, p_batch int)
returns bigint
language sql
as $$
  update event_retention set pruned_before = greatest(pruned_before, p_cutoff);
  with doomed as (
    select ctid from events where created_at < p_cutoff limit p_batch for update skip locked
  ),
  deleted as (
    delete from events where ctid = any (array(select ctid from doomed)) returning 1
  )
  select count(*) from deleted;
$$;
