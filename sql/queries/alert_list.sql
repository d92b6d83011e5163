-- $1: tenant id or null, $2: the position to start before, or null, $3: how many at most. Newest first.
select a.id, a.tenant_id as tenant, t.name as tenant_name, a.quota_id, a.metric, a.feature, a.model,
       nullif(a.user_id, '') as user_id, a.period, a.quota_version, a.threshold, a.token_limit, a.total_tokens,
       a.period_start, a.period_end, a.created_at, a.position
from alerts a join tenants t on t.id = a.tenant_id
where ($1::uuid is null or a.tenant_id = $1::uuid) and ($2::bigint is null or a.position < $2::bigint)
order by a.position desc limit $3::int
