-- $1: tenant id or null, $2: the position to start before, or null, $3: how many at most. Newest first.
select position, created_at, actor, action, subject_id as subject, tenant_id as tenant, before, after
from audit_log
where ($1::uuid is null or tenant_id = $1::uuid) and ($2::bigint is null or position < $2::bigint)
order by position desc limit $3::int
