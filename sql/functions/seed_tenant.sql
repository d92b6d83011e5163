-- Creates a tenant as create_tenant does, with an example of a Slack webhook, disabled, and with quotas beside the monthly one:
-- a JSON array of objects with feature, period, token_limit, hard and thresholds. No row comes back when the name is taken.
create or replace function seed_tenant(
  new_name text, new_quota bigint, new_hard boolean, new_billing_day int, new_timezone text, new_thresholds int[], new_fail_mode text,
  webhook_url text, webhook_host text, new_quotas jsonb
)
returns table (tenant_id uuid)
language plpgsql
as $$
begin
  select id into tenant_id
  from create_tenant(new_name, new_quota, new_hard, new_billing_day, new_timezone, new_thresholds, new_fail_mode);
  if not found then
    return;
  end if;
  insert into webhooks (tenant_id, kind, url, host, enabled) values (seed_tenant.tenant_id, 'slack', webhook_url, webhook_host, false);
  perform create_quota(seed_tenant.tenant_id, q.feature, q.period, q.token_limit, q.hard, q.thresholds)
  from jsonb_to_recordset(new_quotas) as q (feature text, period text, token_limit bigint, hard boolean, thresholds int[]);
  return next;
end
$$;
