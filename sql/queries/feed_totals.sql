-- What the dashboard warns of: dead letters, and deliveries that are tried again or have died within 24 hours.
select (select count(*) from dead_letters) as dead_letters,
       (select count(*) from deliveries d join webhooks w on w.tenant_id = d.tenant_id and w.id = d.webhook_id
        where d.status in ('pending', 'sending') and d.attempts > 0)
       + (select count(*) from deliveries d join webhooks w on w.tenant_id = d.tenant_id and w.id = d.webhook_id
          where d.status = 'dead' and d.finished_at > now() - interval '24 hours') as failing_deliveries
