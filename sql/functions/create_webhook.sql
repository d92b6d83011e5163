-- Adds a webhook to a tenant, unless it has `most` of them: then null comes back. Two statements: after the tenant's lock,
-- only a statement of its own sees what others added before.
create or replace function create_webhook(
  tenant uuid, new_kind text, new_url text, new_host text, new_secret text, is_enabled boolean, most int
)
returns uuid
language plpgsql
as $$
declare
  created uuid;
begin
  perform from tenants where tenants.id = tenant for no key update;
  insert into webhooks (tenant_id, kind, url, host, secret, enabled)
  select tenant, new_kind, new_url, new_host, new_secret, is_enabled
  where (select count(*) from webhooks where tenant_id = tenant) < most
  returning id into created;
  return created;
end
$$;
