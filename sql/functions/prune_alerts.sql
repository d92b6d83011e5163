-- Deletes at most `p_batch` alerts whose period was over before `p_cutoff` and returns how many. Their key is what
-- makes an alert one, so those of an open period must stay; so do those with a delivery: deliveries end, and go first
-- (prune_deliveries).
create or replace function prune_alerts(p_cutoff timestamptz, p_batch int)
returns bigint
language sql
as $$
  with doomed as (
    select ctid from alerts a
    where a.period_end < least(p_cutoff, now())
      and not exists (select from deliveries d where d.tenant_id = a.tenant_id and d.alert_id = a.id)
    limit p_batch for update skip locked
  ),
  deleted as (
    delete from alerts where ctid = any (array(select ctid from doomed)) returning 1
  )
  select count(*) from deleted;
$$;
