-- Deletes what rebuilds that are over, or were replaced, have left; $1: how many rows at most.
with doomed as (
  select ctid from rebuilt_features f
  where not exists (select from tenant_rebuilds r where r.tenant_id = f.tenant_id and r.id = f.rebuild_id)
  limit $1::int
),
deleted as (
  delete from rebuilt_features where ctid = any (array(select ctid from doomed)) returning 1
)
select count(*) as deleted from deleted
