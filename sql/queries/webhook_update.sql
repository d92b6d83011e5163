-- $1: id, $2: new URL or null, $3: its host or null, $4: enabled or null. What waits for a webhook that is disabled is
-- dead.
with changed as (
  update webhooks
  set url = coalesce($2::text, url), host = coalesce($3::text, host), enabled = coalesce($4::boolean, enabled)
  where id = $1::uuid
  returning tenant_id, id, enabled
),
stopped as (
  update deliveries
  set status = 'dead', reason = 'the webhook is disabled', next_attempt_at = null, finished_at = now()
  from changed
  where not changed.enabled and deliveries.tenant_id = changed.tenant_id and deliveries.webhook_id = changed.id
    and deliveries.status = 'pending' and deliveries.alert_id is not null
  returning deliveries.id
)
select id, (select count(*) from stopped) as stopped from changed
