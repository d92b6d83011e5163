-- Claims up to $1 due deliveries for $2 seconds, none of the hosts in $3, and of each webhook the first that is due.
-- A delivery waits while an earlier one of its webhook is due or being sent, so alerts arrive in order; one that waits
-- for its next try holds up nothing. After a crash a claim ends by itself, and the delivery is due again.
-- One row at least comes back: it says since when the oldest one waits, if any does.
with due as (
  select d.tenant_id, d.id
  from deliveries d join webhooks w on w.tenant_id = d.tenant_id and w.id = d.webhook_id
  where d.status in ('pending', 'sending') and d.next_attempt_at <= now() and w.host <> all ($3::text[])
    and not exists (
      select from deliveries earlier
      where earlier.tenant_id = d.tenant_id and earlier.webhook_id = d.webhook_id and earlier.position < d.position
        and (earlier.status = 'sending' or earlier.status = 'pending' and earlier.next_attempt_at <= now())
    )
  order by d.next_attempt_at
  limit $1::int
  for update of d skip locked
),
claimed as (
  update deliveries
  set status = 'sending', attempts = attempts + 1, next_attempt_at = now() + $2::int * interval '1 second'
  from due where deliveries.tenant_id = due.tenant_id and deliveries.id = due.id
  returning deliveries.*
)
select c.id, c.tenant_id, c.webhook_id, c.alert_id, c.attempts, c.created_at, t.name as tenant_name,
       w.kind, w.url, w.host, w.secret, w.enabled,
       case when w.previous_secret_expires_at > now() then w.previous_secret end as previous_secret,
       a.quota_id, a.metric, a.feature, a.model, nullif(a.user_id, '') as user_id,
       a.period, a.quota_version, a.threshold, a.token_limit, a.total_tokens,
       a.period_start, a.period_end, oldest.waiting_since
from (
  select (
    select d.created_at from deliveries d join webhooks w on w.tenant_id = d.tenant_id and w.id = d.webhook_id
    where d.status in ('pending', 'sending')
    order by d.created_at limit 1
  ) as waiting_since
) as oldest
left join claimed c on true
left join webhooks w on w.tenant_id = c.tenant_id and w.id = c.webhook_id
left join tenants t on t.id = c.tenant_id
left join alerts a on a.tenant_id = c.tenant_id and a.id = c.alert_id
