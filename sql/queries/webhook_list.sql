-- $1: one id or null, $2: tenant id or null, $3: the position to start after, $4: how many at most. Oldest first. The
-- path of a URL may hold a token, as Slack's does.
select w.id, w.tenant_id as tenant, t.name as tenant_name, w.kind,
       split_part(w.url, '://', 1) || '://' || w.host || '/…' as url, w.enabled, w.created_at, w.position,
       case when w.previous_secret_expires_at > now() then w.previous_secret_expires_at end
         as previous_secret_expires_at
from webhooks w join tenants t on t.id = w.tenant_id
where ($1::uuid is null or w.id = $1::uuid) and ($2::uuid is null or w.tenant_id = $2::uuid) and w.position > $3::bigint
order by w.position limit $4::int
