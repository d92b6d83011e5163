-- Starts the change of a tenant's billing day and time zone, in place of one that is under way; to what the tenant has already, it ends
-- that one. The first step comes at once: of a small tenant it is the last. The caller holds the tenant's row.
create or replace function rebuild_start(tenant uuid, new_billing_day int, new_timezone text)
returns void
language plpgsql
as $$
declare
  first timestamptz;
begin
  if exists (select from tenant_rebuilds where tenant_id = tenant and (billing_day, timezone) = (new_billing_day, new_timezone)) then
    return;
  end if;
  delete from tenant_rebuilds where tenant_id = tenant;
  if exists (select from tenants where id = tenant and (billing_day, timezone) = (new_billing_day, new_timezone)) then
    return;
  end if;
  select minute into first from rollups where tenant_id = tenant order by minute limit 1;
  first := coalesce(first, date_bin('1 minute', now(), timestamptz 'epoch'));
  insert into tenant_rebuilds (tenant_id, billing_day, timezone, actor, first_minute, counted_until)
  values (tenant, new_billing_day, new_timezone, current_setting('flagmeter.actor', true), first, first);
  perform rebuild_step(tenant);
end
$$;
