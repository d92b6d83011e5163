-- Gives back what reservations still hold and returns how many did. Locks: tenants, reservations, counters, each by key.
create or replace function release_reservations(tenants uuid[], ids uuid[], outcome text default 'released')
returns int
language plpgsql
as $$
declare
  c_tenants uuid[]; c_features text[]; c_quarters timestamptz[]; c_tokens bigint[];
begin
  perform from tenants t where t.id = any (tenants) order by t.id for share;
  select array_agg(c.tenant_id), array_agg(c.feature), array_agg(c.quarter), array_agg(-c.tokens)
  into c_tenants, c_features, c_quarters, c_tokens
  from close_reservations(tenants, ids, outcome) as c;
  if c_tenants is null then
    return 0;
  end if;
  perform move_counters(
    c_tenants, c_features, c_quarters, array_fill(0::bigint, array[cardinality(c_tokens)]),
    array_fill(0::bigint, array[cardinality(c_tokens)]), c_tokens
  );
  if outcome = 'lapsed' then -- no process knows whose those are
    perform pg_notify('flagmeter_changes', json_build_object('tenants', json_build_array(tenant))::text)
    from (select distinct unnest(c_tenants) as tenant) as lapsed;
  end if;
  return cardinality(c_tenants);
end
$$;
