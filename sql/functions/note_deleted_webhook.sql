-- Notes a webhook that is deleted, whoever deletes it: its deliveries follow in batches (prune_deliveries). What waits
-- to be sent goes at once, so that whoever looks for what is due need not step over it; but not more than a request can
-- do.
create or replace function note_deleted_webhook()
returns trigger
language plpgsql
set search_path from current
as $$
begin
  insert into deleted_webhooks (tenant_id, webhook_id) values (old.tenant_id, old.id) on conflict do nothing;
  delete from deliveries
  where ctid = any (array(
    select ctid from deliveries
    where tenant_id = old.tenant_id and webhook_id = old.id and status in ('pending', 'sending') limit 1000
  ));
  return null;
end
$$;

create or replace trigger noted after delete on webhooks for each row execute function note_deleted_webhook();
