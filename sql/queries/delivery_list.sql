-- $1: one id or null, $2: tenant id or null, $3: webhook id or null, $4: status or null,
-- $5: the position to start before, or null, $6: how many at most. Newest first. The path of a URL
-- may hold a token, as Slack's does.
select d.id, d.tenant_id as tenant, t.name as tenant_name, d.webhook_id as webhook, w.kind,
       split_part(w.url, '://', 1) || '://' || w.host || '/…' as url,
       d.alert_id as alert, a.threshold, d.status, d.attempts,
       d.next_attempt_at, d.response_status, d.reason, d.created_at, d.finished_at, d.position
from deliveries d
join tenants t on t.id = d.tenant_id
join webhooks w on w.tenant_id = d.tenant_id and w.id = d.webhook_id
left join alerts a on a.tenant_id = d.tenant_id and a.id = d.alert_id
where ($1::uuid is null or d.id = $1::uuid) and ($2::uuid is null or d.tenant_id = $2::uuid)
  and ($3::uuid is null or d.webhook_id = $3::uuid) and ($4::text is null or d.status = $4::text)
  and ($5::bigint is null or d.position < $5::bigint)
order by d.position desc limit $6::int
