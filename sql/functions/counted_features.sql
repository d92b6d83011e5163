-- As what each event is counted, in the order of the parallel arrays: its own feature, or '(other)', the one remainder
-- of all that come after the first `feature_limit()` of their tenant. A feature that once counted by itself always
-- does, and so does one that a quota names (create_quota), however many there are.
--
-- Locks: who adds features of a tenant does so alone, or two would add more than there may be. Tenants by id.
create or replace function counted_features(p_tenants uuid[], p_features text[])
returns text[]
language plpgsql
as $$
declare
  v_tenants uuid[];
  v_features text[];
begin
  select array_agg(g.tenant_id), array_agg(g.feature)
  into v_tenants, v_features
  from (select distinct tenant_id, feature from unnest(p_tenants, p_features) as g (tenant_id, feature)) as g
  where not exists (select from features f where f.tenant_id = g.tenant_id and f.feature = g.feature);
  if v_tenants is null then
    return p_features;
  end if;

  perform pg_advisory_xact_lock(hashtextextended(t.tenant_id::text, 0))
  from (
    select tenant_id from (select distinct unnest(v_tenants) as tenant_id) as n
    where (select count(*) from (select from features f where f.tenant_id = n.tenant_id limit feature_limit()) as f)
      < feature_limit()
    order by tenant_id
  ) as t;

  insert into features (tenant_id, feature)
  select n.tenant_id, n.feature
  from (
    select n.*, row_number() over (partition by n.tenant_id order by n.feature) as nth
    from unnest(v_tenants, v_features) as n (tenant_id, feature)
    where not exists (select from features f where f.tenant_id = n.tenant_id and f.feature = n.feature)
  ) as n
  join (
    select tenant_id, (select count(*) from features f where f.tenant_id = n.tenant_id) as known
    from (select distinct unnest(v_tenants) as tenant_id) as n
  ) as k using (tenant_id)
  where k.known + n.nth <= feature_limit()
  order by 1, 2
  on conflict do nothing;

  return array(
    select coalesce(f.feature, '(other)')
    from unnest(p_tenants, p_features) with ordinality as g (tenant_id, feature, position)
    left join features f on f.tenant_id = g.tenant_id and f.feature = g.feature
    order by g.position
  );
end
$$;
