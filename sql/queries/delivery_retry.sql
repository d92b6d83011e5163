-- $1: one id or null, $2: tenant id or null, $3: webhook id or null, $4: how many at most. Makes undelivered ones due
-- now, the oldest first, and starts their schedules again. Leaves out those that are due and untried: they need
-- nothing, and the next call continues where this one stopped.
with undelivered as (
  select d.tenant_id, d.id
  from deliveries d join webhooks w on w.tenant_id = d.tenant_id and w.id = d.webhook_id
  where d.status in ('dead', 'pending') and (d.status = 'dead' or d.attempts > 0 or d.next_attempt_at > now())
    and ($1::uuid is null or d.id = $1::uuid) and ($2::uuid is null or d.tenant_id = $2::uuid)
    and ($3::uuid is null or d.webhook_id = $3::uuid)
  order by d.position
  limit $4::int
  for update of d skip locked
),
retried as (
  update deliveries d
  set status = 'pending', attempts = 0, next_attempt_at = now(), finished_at = null
  from undelivered u where d.tenant_id = u.tenant_id and d.id = u.id
  returning 1
)
select count(*) as retried from retried
