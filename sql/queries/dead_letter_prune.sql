-- $1: failed before; $2: how many at most.
with doomed as (
  select ctid from dead_letters where failed_at < $1::timestamptz limit $2::int for update skip locked
),
deleted as (
  delete from dead_letters where ctid = any (array(select ctid from doomed)) returning 1
)
select count(*) as deleted from deleted
