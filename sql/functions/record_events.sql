-- Records a batch of events: deduplicates them, rolls them up by the minute, moves the counters and raises the alerts
-- that are due, all in one transaction. The arrays run in parallel, one element per event. An id already recorded for
-- its tenant changes nothing. `p_settles` says which events are what a reservation of the same id came to: its hold is
-- given back here, in the transaction that counts the event; null: none. Features beyond what a tenant may have are
-- counted together (counted_features). Returns each counter that moved: what was added, its value now, and the
-- thresholds it crossed, ascending; with that of the monthly quota also how many events were counted in the remainder
-- of features. A counter whose period is over crosses nothing: late events alert nobody. Raises 23503
-- (foreign_key_violation) when a tenant does not exist.
--
-- Every lock is taken in one global order, or concurrent batches deadlock: tenants by id, features by key, reservations
-- and events by (tenant, id), rollups by key, counters by key.
create or replace function record_events(
  p_tenants uuid[], p_ids uuid[], p_features text[], p_tokens bigint[], p_created_ats timestamptz[],
  p_received_ats timestamptz[], p_settles boolean[] default null
)
returns table (
  tenant_id uuid, quota_id uuid, feature text, hard boolean, period_start timestamptz, period_end timestamptz,
  token_limit bigint, previous_tokens bigint, total_tokens bigint, recorded_events bigint, crossed int[],
  remainder_events bigint
)
language plpgsql
as $$
declare
  v_missing uuid;
  v_counted text[];
  v_counter record;
  v_threshold int;
  v_holds hold[] := '{}';
  v_tenants uuid[]; v_features text[]; v_minutes timestamptz[]; v_tokens bigint[]; v_events bigint[]; -- rollups
begin
  -- Shared with other batches, against update_tenant: a billing day must not change between rollup and counter.
  perform from tenants t where t.id in (select distinct unnest(p_tenants)) order by t.id for share;

  select given.id into v_missing
  from (select distinct unnest(p_tenants) as id) as given
  where not exists (select from tenants t where t.id = given.id)
  limit 1;
  if found then
    raise foreign_key_violation using message = format('tenant %s does not exist', v_missing);
  end if;

  v_counted := counted_features(p_tenants, p_features);

  if p_settles is not null then
    v_holds := array(
      select h
      from (
        select array_agg(e.tenant_id) as tenants, array_agg(e.id) as ids
        from unnest(p_tenants, p_ids, p_settles) as e (tenant_id, id, settles)
        where e.settles
      ) as settled
      cross join lateral close_reservations(settled.tenants, settled.ids, 'settled') as h
    );
  end if;

  with inserted as (
    insert into events as n (tenant_id, id, feature, tokens, created_at, received_at, counted_as)
    select e.tenant_id, e.id, e.feature, e.tokens, e.created_at, e.received_at, nullif(e.counted_as, e.feature)
    from unnest(p_tenants, p_ids, p_features, p_tokens, p_created_ats, p_received_ats, v_counted)
      with ordinality as e (tenant_id, id, feature, tokens, created_at, received_at, counted_as, position)
    order by e.tenant_id, e.id, e.position
    on conflict do nothing
    returning n.tenant_id, coalesce(n.counted_as, n.feature) as feature, n.created_at, n.tokens
  ),
  grouped as (
    select i.tenant_id, i.feature, date_bin('1 minute', i.created_at, timestamptz 'epoch') as minute,
           sum(i.tokens)::bigint as tokens, count(*) as events
    from inserted i
    group by 1, 2, 3
    order by 1, 2, 3
  )
  select array_agg(g.tenant_id), array_agg(g.feature), array_agg(g.minute), array_agg(g.tokens), array_agg(g.events)
  into v_tenants, v_features, v_minutes, v_tokens, v_events
  from grouped g;

  if v_tenants is null and cardinality(v_holds) = 0 then
    return;
  end if;

  insert into rollups as r (tenant_id, feature, minute, total_tokens, event_count)
  select * from unnest(v_tenants, v_features, v_minutes, v_tokens, v_events)
  on conflict on constraint rollups_pkey do update
  set total_tokens = r.total_tokens + excluded.total_tokens,
      event_count = r.event_count + excluded.event_count,
      updated_at = now();
  perform rebuild_follow(v_tenants, v_features, v_minutes, v_tokens, v_events)
  where exists (select from tenant_rebuilds);

  for v_counter in
    with quarters as (
      select g.tenant_id, g.feature, date_bin('15 minutes', g.minute, timestamptz 'epoch') as quarter,
             sum(g.tokens)::bigint as tokens, sum(g.events)::bigint as events
      from unnest(v_tenants, v_features, v_minutes, v_tokens, v_events)
        as g (tenant_id, feature, minute, tokens, events)
      group by 1, 2, 3
    ),
    moves as (
      select q.tenant_id, q.feature, q.quarter, q.tokens, q.events, 0::bigint as reserved from quarters q
      union all
      select h.tenant_id, h.feature, h.quarter, 0, 0, -h.tokens from unnest(v_holds) as h
    )
    select m.*, array(
             select threshold from unnest(m.thresholds) as threshold
             where m.period_end > now()
               and threshold_reached(m.total_tokens, m.token_limit, threshold)
               and not threshold_reached(m.total_tokens - m.added_tokens, m.token_limit, threshold)
             order by threshold
           ) as crossed,
           case when m.quota_id = m.tenant_id and '(other)' = any (v_features) then (
             select sum(g.events) from quarters g
             where g.tenant_id = m.tenant_id and g.feature = '(other)'
               and g.quarter >= m.period_start and g.quarter < m.period_end
           ) end as remainder_events
    from (
      select array_agg(v.tenant_id) as tenants, array_agg(v.feature) as features, array_agg(v.quarter) as quarters,
             array_agg(v.tokens) as tokens, array_agg(v.events) as events, array_agg(v.reserved) as reserved
      from moves v
    ) as a
    cross join lateral move_counters(a.tenants, a.features, a.quarters, a.tokens, a.events, a.reserved) as m
    order by m.tenant_id, m.quota_id, m.period_start
  loop
    foreach v_threshold in array v_counter.crossed loop
      perform raise_alert(
        v_counter.tenant_id, v_counter.quota_id, v_counter.feature, v_counter.period, v_counter.period_start,
        v_counter.period_end, v_threshold, v_counter.version, v_counter.token_limit, v_counter.total_tokens
      );
    end loop;
    tenant_id := v_counter.tenant_id;
    quota_id := v_counter.quota_id;
    feature := v_counter.feature;
    hard := v_counter.hard;
    period_start := v_counter.period_start;
    period_end := v_counter.period_end;
    token_limit := v_counter.token_limit;
    previous_tokens := v_counter.total_tokens - v_counter.added_tokens;
    total_tokens := v_counter.total_tokens;
    recorded_events := v_counter.added_events;
    crossed := v_counter.crossed;
    remainder_events := coalesce(v_counter.remainder_events, 0);
    return next;
  end loop;
end
$$;
