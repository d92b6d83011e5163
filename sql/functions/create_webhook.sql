-- Adds a webhook to a tenant, unless it has `p_most` of them: then null comes back. Two statements: after the tenant's
-- lock, only a statement of its own sees what others added before.
create or replace function create_webhook(
  p_tenant uuid, p_kind text, p_url text, p_host text, p_secret text, p_enabled boolean, p_most int
)
returns uuid
language plpgsql
as $$
declare
  v_created uuid;
begin
  perform from tenants where id = p_tenant for no key update;
  insert into webhooks (tenant_id, kind, url, host, secret, enabled)
  select p_tenant, p_kind, p_url, p_host, p_secret, p_enabled
  where (select count(*) from webhooks where tenant_id = p_tenant) < p_most
  returning id into v_created;
  return v_created;
end
$$;
