-- $1: one id or null, $2: tenant id or null, $3: the position to start after, $4: how many at most. Oldest first.
select q.id, q.tenant_id as tenant, t.name as tenant_name, q.metric, q.feature, q.model, q.per_user, q.period,
       q.token_limit, q.hard, q.thresholds, q.created_at, q.position
from quotas q join tenants t on t.id = q.tenant_id
where ($1::uuid is null or q.id = $1::uuid) and ($2::uuid is null or q.tenant_id = $2::uuid) and q.position > $3::bigint
order by q.position limit $4::int
