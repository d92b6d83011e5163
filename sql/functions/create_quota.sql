-- Adds a quota to a tenant, counts its open period from rollups, and raises the alerts that are due.
-- Its feature counts by itself from now on, however many the tenant has (counted_features). Null when there is no such tenant.
-- A quota that the tenant has already, but for its thresholds, is refused (unique_violation; the detail is its id): both
-- would count, hold and alert the same tokens.
create or replace function create_quota(
  tenant uuid, new_feature text, new_period text, new_limit bigint, is_hard boolean, new_thresholds int[]
)
returns uuid
language plpgsql
as $$
declare
  told text[];
  twin uuid;
  created uuid;
begin
  perform from tenants where tenants.id = tenant for no key update;
  if not found then
    return null;
  end if;
  select id into twin from quotas
  where tenant_id = tenant and feature is not distinct from new_feature and period = new_period
    and token_limit = new_limit and hard = coalesce(is_hard, true)
  limit 1;
  if found then
    raise unique_violation using message = 'the tenant has this quota already', detail = twin;
  end if;
  told := told_thresholds(tenant);
  insert into features (tenant_id, feature) select tenant, new_feature where new_feature is not null on conflict do nothing;
  insert into quotas (tenant_id, feature, period, token_limit, hard, thresholds)
  values (tenant, new_feature, new_period, new_limit, coalesce(is_hard, true), coalesce(new_thresholds, '{80,100}'))
  returning id into created;
  perform rebuild_counters(tenant, created);
  perform alert_reached(tenant, told);
  return created;
end
$$;
