-- Creates a tenant as create_tenant does, with an example of a Slack webhook, disabled, and with quotas beside the
-- monthly one: a JSON array of objects with the arguments of create_quota. No row comes back when the name is taken.
create or replace function seed_tenant(
  p_name text, p_monthly_quota bigint, p_monthly_hard boolean, p_billing_day int, p_timezone text, p_thresholds int[],
  p_fail_mode text, p_webhook_url text, p_webhook_host text, p_quotas jsonb
)
returns table (tenant_id uuid)
language plpgsql
as $$
declare
  v_tenant uuid;
begin
  select id into v_tenant
  from create_tenant(
    p_name, p_monthly_quota, p_monthly_hard, p_billing_day, p_timezone, p_thresholds, p_fail_mode
  );
  if not found then
    return;
  end if;
  insert into webhooks (tenant_id, kind, url, host, enabled)
  values (v_tenant, 'slack', p_webhook_url, p_webhook_host, false);
  perform create_quota(
    v_tenant, q.feature, q.model, q.metric, q.per_user, q.period, q.token_limit, q.hard, q.thresholds
  )
  from jsonb_to_recordset(p_quotas) as q (
    feature text, model text, metric text, per_user boolean, period text, token_limit bigint, hard boolean,
    thresholds int[]
  );
  tenant_id := v_tenant;
  return next;
end
$$;
