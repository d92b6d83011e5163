-- A key may be bound to one user of its tenant.
alter table api_keys
  add column user_id text,
  add constraint api_keys_user check (user_id is null or tenant_id is not null);
