-- Audits every change of these tables, by whatever means; of a key, all but its last use; of prices, only the
-- operator's own.
create or replace trigger audit after insert or update or delete on tenants
  for each row execute function audit_change('tenant');
create or replace trigger audit after insert or update or delete on webhooks
  for each row execute function audit_change('webhook');
create or replace trigger audit
  after insert or delete or update of name, scopes, tenant_id, user_id, expires_at, revoked_at on api_keys
  for each row execute function audit_change('key');
create or replace trigger audit after insert or delete or update of token_limit, hard, thresholds on quotas
  for each row execute function audit_change('quota');
create or replace trigger audit after insert on prices
  for each row when (new.catalogue is null) execute function audit_change('price');
create or replace trigger audit_end after update of deleted_at on prices
  for each row when (new.deleted_at is not null) execute function audit_change('price');
create or replace trigger audit after insert or update or delete on quota_users
  for each row execute function audit_change('quota_user');
