-- Raises unique_violation, with its id as the detail, when the tenant has a quota other than p_quota that is the same
-- but for its thresholds: both would count, hold and alert the same. The caller holds the tenant's lock.
create or replace function refuse_equal_quota(
  p_tenant uuid, p_quota uuid, p_feature text, p_model text, p_metric text, p_per_user boolean, p_period text,
  p_token_limit bigint, p_hard boolean
)
returns void
language plpgsql
as $$
declare
  v_equal uuid;
begin
  select id into v_equal from quotas
  where tenant_id = p_tenant and feature is not distinct from p_feature and model is not distinct from p_model
    and metric = p_metric and per_user = p_per_user and period = p_period
    and token_limit = p_token_limit and hard = p_hard and id is distinct from p_quota
  limit 1;
  if found then
    raise unique_violation using message = 'the tenant has this quota already', detail = v_equal;
  end if;
end
$$;
