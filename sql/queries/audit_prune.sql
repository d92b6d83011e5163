-- Forgets entries of the audit log: $1: made before, $2: how many at most. They lie in the order of their time, so the
-- first ones are all there is to look at.
with doomed as (
  select position, created_at from audit_log order by position limit $2::int
),
deleted as (
  delete from audit_log
  where position = any (array(select position from doomed where created_at < $1::timestamptz)) returning 1
)
select count(*) as deleted from deleted
