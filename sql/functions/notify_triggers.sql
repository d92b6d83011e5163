-- What a tenant's page shows beside its usage. Of one tenant, a transaction tells once.
create or replace trigger told after insert or update or delete on tenants
  for each row execute function notify_change('id');
create or replace trigger told after insert or update or delete on quotas
  for each row execute function notify_change('tenant_id');
create or replace trigger told after insert or update or delete on webhooks
  for each row execute function notify_change('tenant_id');
create or replace trigger told after insert or delete or update of revoked_at on api_keys
  for each row execute function notify_change('tenant_id');
create or replace trigger told after insert on alerts
  for each row execute function notify_change('tenant_id');
create or replace trigger told after insert or update of status, attempts on deliveries
  for each row execute function notify_change('tenant_id');
