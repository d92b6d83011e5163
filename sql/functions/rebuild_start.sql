-- Starts the change of a tenant's billing day and time zone, in place of one that is under way; to what the tenant has
-- already, it ends that one. The first step comes at once: of a small tenant it is the last. The caller holds the
-- tenant's row.
create or replace function rebuild_start(p_tenant uuid, p_billing_day int, p_timezone text)
returns void
language plpgsql
as $$
declare
  v_first timestamptz;
begin
  if exists (
    select from tenant_rebuilds
    where tenant_id = p_tenant and (billing_day, timezone) = (p_billing_day, p_timezone)
  ) then
    return;
  end if;
  delete from tenant_rebuilds where tenant_id = p_tenant;
  if exists (
    select from tenants where id = p_tenant and (billing_day, timezone) = (p_billing_day, p_timezone)
  ) then
    return;
  end if;
  select minute into v_first from rollups where tenant_id = p_tenant order by minute limit 1;
  v_first := date_bin('15 minutes', coalesce(v_first, now()), timestamptz 'epoch');
  insert into tenant_rebuilds (tenant_id, billing_day, timezone, actor, first_minute, counted_until)
  values (p_tenant, p_billing_day, p_timezone, current_setting('flagmeter.actor', true), v_first, v_first);
  perform rebuild_step(p_tenant);
end
$$;
