-- $1: tenant id or null, $2: the position to start before, or null, $3: how many at most. Newest first.
-- A tenant that is gone has no name.
select a.position, a.created_at, a.actor, a.action, a.subject_id as subject, a.tenant_id as tenant,
       t.name as tenant_name,
       a.before, a.after
from audit_log a
left join tenants t on t.id = a.tenant_id
where ($1::uuid is null or a.tenant_id = $1::uuid) and ($2::bigint is null or a.position < $2::bigint)
order by a.position desc limit $3::int
