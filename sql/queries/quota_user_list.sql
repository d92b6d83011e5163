-- The exceptions of a quota. $1: quota id, $2: a user or null, $3: the user to start after, or null, $4: how many at
-- most.
select x.user_id, x.token_limit, x.created_at
from quotas q join quota_users x on x.tenant_id = q.tenant_id and x.quota_id = q.id
where q.id = $1::uuid and ($2::text is null or x.user_id = $2::text) and ($3::text is null or x.user_id > $3::text)
order by x.user_id limit $4::int
