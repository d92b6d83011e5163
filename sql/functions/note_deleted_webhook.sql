-- Notes a webhook that is deleted, whoever deletes it: its deliveries follow in batches (prune_deliveries).
create or replace function note_deleted_webhook()
returns trigger
language plpgsql
as $$
begin
  insert into deleted_webhooks (tenant_id, webhook_id) values (old.tenant_id, old.id) on conflict do nothing;
  return null;
end
$$;

create or replace trigger noted after delete on webhooks for each row execute function note_deleted_webhook();
