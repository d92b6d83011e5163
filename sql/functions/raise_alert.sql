-- Writes the alert and one delivery per enabled webhook of the tenant. Raised before, it changes nothing.
create or replace function raise_alert(
  p_tenant uuid, p_quota uuid, p_feature text, p_period text, p_period_start timestamptz, p_period_end timestamptz,
  p_threshold int, p_quota_version int, p_token_limit bigint, p_total_tokens bigint
)
returns void
language sql
as $$
  with raised as (
    insert into alerts (
      tenant_id, quota_id, feature, period, period_start, period_end,
      threshold, quota_version, token_limit, total_tokens
    )
    values (
      p_tenant, p_quota, p_feature, p_period, p_period_start, p_period_end,
      p_threshold, p_quota_version, p_token_limit, p_total_tokens
    )
    on conflict (tenant_id, quota_id, period_start, threshold, quota_version) do nothing
    returning id
  )
  insert into deliveries (tenant_id, webhook_id, alert_id)
  select p_tenant, webhooks.id, raised.id
  from raised, webhooks
  where webhooks.tenant_id = p_tenant and webhooks.enabled
$$;
