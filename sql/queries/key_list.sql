-- $1: one id or null, $2: tenant id or null, $3: the position to start before, or null, $4: how many at most. Newest
-- first.
select k.id, k.position, k.hint, k.name, k.scopes, t.id as tenant, t.name as tenant_name, k.user_id as user,
       k.created_at, k.expires_at, k.revoked_at, k.last_used_at
from api_keys k left join tenants t on t.id = k.tenant_id
where ($1::uuid is null or k.id = $1::uuid) and ($2::uuid is null or k.tenant_id = $2::uuid)
  and ($3::bigint is null or k.position < $3::bigint)
order by k.position desc limit $4::int
