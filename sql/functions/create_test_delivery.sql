-- Puts a test message of a webhook into the outbox and returns its id; null when `p_most` were made within the last
-- minute. Two statements: only one that begins after the lock sees what others made before. The lock is its own, so it
-- stands in nobody's order.
create or replace function create_test_delivery(p_webhook uuid, p_most int)
returns uuid
language plpgsql
as $$
declare
  v_created uuid;
begin
  perform pg_advisory_xact_lock(hashtextextended('test of webhook ' || p_webhook, 0));
  insert into deliveries (tenant_id, webhook_id)
  select w.tenant_id, w.id from webhooks w
  where w.id = p_webhook and (
    select count(*) from deliveries d
    where d.tenant_id = w.tenant_id and d.webhook_id = w.id and d.alert_id is null
      and d.created_at > now() - interval '1 minute'
  ) < p_most
  returning id into v_created;
  return v_created;
end
$$;
