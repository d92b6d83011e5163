-- $1: ids, $2: payloads, $3: SQLSTATEs, $4: reasons. The same payload failing again keeps one row, with the newest
-- reason.
insert into dead_letters (id, payload, sqlstate, reason)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
on conflict (id) do update set sqlstate = excluded.sqlstate, reason = excluded.reason, failed_at = now()
