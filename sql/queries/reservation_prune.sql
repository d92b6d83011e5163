-- Forgets reservations that ended: $1: expired before, $2: how many at most. Until then an Idempotency-Key finds them.
with doomed as (
  select ctid from reservations
  where expires_at < $1::timestamptz and status <> 'held' limit $2::int for update skip locked
),
deleted as (
  delete from reservations where ctid = any (array(select ctid from doomed)) returning 1
)
select count(*) as deleted from deleted
