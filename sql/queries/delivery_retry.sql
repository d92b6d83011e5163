-- $1: one id or null, $2: tenant id or null, $3: webhook id or null. What was not delivered is due now, its schedule new.
update deliveries
set status = 'pending', attempts = 0, next_attempt_at = now(), finished_at = null
where status in ('dead', 'pending') and ($1::uuid is null or id = $1::uuid) and ($2::uuid is null or tenant_id = $2::uuid)
  and ($3::uuid is null or webhook_id = $3::uuid)
  and exists (select from webhooks w where w.tenant_id = deliveries.tenant_id and w.id = deliveries.webhook_id)
returning id
