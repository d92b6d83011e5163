-- Gives back what reservations still hold and returns how many did. Locks: tenants, reservations, counters, each by
-- key.
create or replace function release_reservations(p_tenants uuid[], p_ids uuid[], p_outcome text default 'released')
returns int
language plpgsql
as $$
declare
  v_holds hold[];
begin
  perform from tenants where id = any (p_tenants) order by id for share;
  v_holds := array(select h::hold from close_reservations(p_tenants, p_ids, p_outcome) as h);
  if cardinality(v_holds) = 0 then
    return 0;
  end if;
  perform move_quotas(array(select given_back(v_holds)));
  if p_outcome = 'lapsed' then -- no process knows whose those are
    perform pg_notify(notify_channel(), json_build_object('tenants', json_build_array(tenant_id))::text)
    from (select distinct tenant_id from unnest(v_holds)) as lapsed;
  end if;
  return cardinality(v_holds);
end
$$;
