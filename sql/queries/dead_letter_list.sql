-- $1: one id or null for all, $2: how many at most. Oldest first.
select id, payload, sqlstate, reason, failed_at from dead_letters
where $1::uuid is null or id = $1::uuid
order by failed_at, id limit $2::int
