-- Whether this alert was raised.
create or replace function is_alerted(
  p_tenant uuid, p_quota uuid, p_period_start timestamptz, p_threshold int, p_quota_version int, p_user text
)
returns boolean
language sql stable
as $$
  select exists (
    select from alerts
    where tenant_id = p_tenant and quota_id = p_quota and period_start = p_period_start and threshold = p_threshold
      and quota_version = p_quota_version and user_id = p_user
  )
$$;
