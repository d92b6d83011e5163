-- Deletes at most `batch` events created before `cutoff` and returns how many. Small batches keep locks and WAL bursts short.
-- The cutoff is noted first, in the same transaction, so that `verify` never compares rollups with events that are gone.
create or replace function prune_events(cutoff timestamptz, batch int)
returns bigint
language sql
as $$
  update event_retention set pruned_before = greatest(pruned_before, cutoff);
  with doomed as (
    select ctid from events where created_at < cutoff limit batch for update skip locked
  ),
  deleted as (
    delete from events where ctid = any (array(select ctid from doomed)) returning 1
  )
  select count(*) from deleted;
$$;
