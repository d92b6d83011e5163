-- Writes the alert and one delivery per enabled webhook of the tenant. Raised before, it changes nothing.
create or replace function raise_alert(
  tenant uuid, quota uuid, quota_feature text, quota_period text, start timestamptz, finish timestamptz, percent int, version int,
  token_limit bigint, tokens bigint
)
returns void
language sql
as $$
  with raised as (
    insert into alerts
      (tenant_id, quota_id, feature, period, period_start, period_end, threshold, quota_version, token_limit, total_tokens)
    values (tenant, quota, quota_feature, quota_period, start, finish, percent, version, token_limit, tokens)
    on conflict (tenant_id, quota_id, period_start, threshold, quota_version) do nothing
    returning id
  )
  insert into deliveries (tenant_id, webhook_id, alert_id)
  select tenant, webhooks.id, raised.id
  from raised, webhooks
  where webhooks.tenant_id = tenant and webhooks.enabled
$$;
