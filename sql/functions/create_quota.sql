-- Adds a quota to a tenant, counts its open period from rollups, and raises the alerts that are due. One by model or
-- per user counts from now on: nothing that is kept for long could tell what it has counted before.
-- Its feature counts by itself from now on, however many the tenant has (counted_features).
-- Null when there is no such tenant.
-- A quota that the tenant has already is refused (refuse_equal_quota).
create or replace function create_quota(
  p_tenant uuid, p_feature text, p_model text, p_metric text, p_per_user boolean, p_period text, p_token_limit bigint,
  p_hard boolean, p_thresholds int[]
)
returns uuid
language plpgsql
as $$
declare
  v_told text[];
  v_created uuid;
begin
  perform from tenants where id = p_tenant for no key update;
  if not found then
    return null;
  end if;
  perform refuse_equal_quota(
    p_tenant, null, p_feature, p_model, p_metric, p_per_user, p_period, p_token_limit, coalesce(p_hard, true)
  );
  v_told := told_thresholds(p_tenant);
  insert into features (tenant_id, feature)
  select p_tenant, p_feature where p_feature is not null
  on conflict do nothing;
  insert into quotas (tenant_id, feature, model, metric, per_user, period, token_limit, hard, thresholds)
  values (
    p_tenant, p_feature, p_model, p_metric, p_per_user, p_period, p_token_limit, coalesce(p_hard, true),
    coalesce(p_thresholds, '{80,100}')
  )
  returning id into v_created;
  perform rebuild_counters(p_tenant, v_created);
  perform alert_reached(p_tenant, v_told);
  return v_created;
end
$$;
