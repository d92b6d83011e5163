-- Locks the existing reservations that matter for those wanted: the ones made with the same keys and, with `p_lapses`,
-- the tenants' expired ones. Expired ones lapse, and what they held is returned; the caller gives it back in the same
-- transaction. Without `p_lapses`, an expired hold that is asked for again by its key is prolonged.
create or replace function lapse_or_prolong(p_wanted wanted_reservation[], p_lapses boolean)
returns setof hold
language plpgsql
as $$
declare
  v_tenants uuid[];
  v_ids uuid[];
begin
  select array_agg(k.tenant_id), array_agg(k.id)
  into v_tenants, v_ids
  from (
    select r.tenant_id, r.id
    from unnest(p_wanted) as w join reservations r on r.tenant_id = w.tenant_id and r.idempotency_key = w.key
    union
    (
      select r.tenant_id, r.id from reservations r
      where p_lapses and r.status = 'held' and r.expires_at <= now()
        and r.tenant_id = any (array(select tenant_id from unnest(p_wanted)))
      order by r.expires_at limit 1000
    )
  ) as k;
  if v_ids is null then
    return;
  end if;

  perform from reservations
  where (tenant_id, id) in (select * from unnest(v_tenants, v_ids))
  order by tenant_id, id for update;
  if p_lapses then
    return query
    select h.*
    from (
      select array_agg(r.tenant_id) as tenants, array_agg(r.id) as ids
      from reservations r join unnest(v_tenants, v_ids) as k (tenant_id, id) using (tenant_id, id)
      where r.status = 'held' and r.expires_at <= now()
    ) as due
    cross join lateral close_reservations(due.tenants, due.ids, 'lapsed') as h;
  else
    update reservations r
    set expires_at = now() + w.ttl_seconds * interval '1 second'
    from unnest(p_wanted) as w
    where r.tenant_id = w.tenant_id and r.idempotency_key = w.key and r.status = 'held' and r.expires_at <= now();
  end if;
end
$$;
