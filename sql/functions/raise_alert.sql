-- Writes the alert and one delivery per enabled webhook of the tenant. Raised before, it changes nothing. `p_user`: of
-- a quota per user, else ''. The limit and what is used are in what the quota counts.
create or replace function raise_alert(
  p_tenant uuid, p_quota uuid, p_user text, p_feature text, p_model text, p_metric text, p_period text,
  p_period_start timestamptz, p_period_end timestamptz, p_threshold int, p_quota_version int, p_token_limit bigint,
  p_used bigint
)
returns void
language sql
as $$
  with raised as (
    insert into alerts (
      tenant_id, quota_id, user_id, feature, model, metric, period, period_start, period_end, threshold,
      quota_version, token_limit, total_tokens
    )
    values (
      p_tenant, p_quota, p_user, p_feature, p_model, p_metric, p_period, p_period_start, p_period_end, p_threshold,
      p_quota_version, p_token_limit, p_used
    )
    on conflict (tenant_id, quota_id, period_start, threshold, quota_version, user_id) do nothing
    returning id
  )
  insert into deliveries (tenant_id, webhook_id, alert_id)
  select p_tenant, webhooks.id, raised.id
  from raised, webhooks
  where webhooks.tenant_id = p_tenant and webhooks.enabled
$$;
