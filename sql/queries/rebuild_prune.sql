-- Deletes what rebuilds that are over, or were replaced, have left; $1: how many rows at most, of each table.
with features as (
  delete from rebuilt_features
  where ctid = any (array(
    select ctid from rebuilt_features f
    where not exists (select from tenant_rebuilds r where r.tenant_id = f.tenant_id and r.id = f.rebuild_id)
    limit $1::int
  ))
  returning 1
),
splits as (
  delete from rebuilt_splits
  where ctid = any (array(
    select ctid from rebuilt_splits s
    where not exists (select from tenant_rebuilds r where r.tenant_id = s.tenant_id and r.id = s.rebuild_id)
    limit $1::int
  ))
  returning 1
)
select greatest((select count(*) from features), (select count(*) from splits)) as deleted
