-- Records a batch of events: deduplicates them, rolls them up by the minute, moves the counters and raises the alerts
-- that are due, all in one transaction.
-- The arrays run in parallel, one element per event. An id already recorded for its tenant changes nothing.
-- `settles` says which events are what a reservation of the same id came to: its hold is given back here, in the transaction
-- that counts the event; null: none.
-- Features beyond what a tenant may have are counted together (counted_features).
-- Returns each counter that moved: what was added, its value now, and the thresholds it crossed, ascending; with that of the monthly
-- quota also how many events were counted in the remainder of features.
-- A counter whose period is over crosses nothing: late events alert nobody.
-- Raises 23503 (foreign_key_violation) when a tenant does not exist.
--
-- Every lock is taken in one global order, or concurrent batches deadlock: tenants by id, features by key, reservations and events
-- by (tenant, id), rollups by key, counters by key.
create or replace function record_events(
  tenant_ids uuid[], event_ids uuid[], features text[], tokens bigint[], created_ats timestamptz[], received_ats timestamptz[],
  settles boolean[] default null
)
returns table (
  tenant_id uuid, quota_id uuid, feature text, hard boolean, period_start timestamptz, period_end timestamptz, token_limit bigint,
  previous_tokens bigint, total_tokens bigint, recorded_events bigint, crossed int[],
  remainder_events bigint
)
language plpgsql
as $$
#variable_conflict use_column
declare
  missing uuid;
  counted text[];
  counter record;
  threshold int;
  r_tenants uuid[]; r_features text[]; r_minutes timestamptz[]; r_tokens bigint[]; r_counts bigint[];
  c_tenants uuid[]; c_features text[]; c_quarters timestamptz[]; c_reserved bigint[]; c_nothing bigint[];
begin
  -- Shared with other batches, against update_tenant: a billing day must not change between rollup and counter.
  perform from tenants where id in (select distinct unnest(tenant_ids)) order by id for share;

  select given.id into missing
  from (select distinct unnest(tenant_ids) as id) as given
  where not exists (select from tenants where tenants.id = given.id)
  limit 1;
  if found then
    raise foreign_key_violation using message = format('tenant %s does not exist', missing);
  end if;

  counted := counted_features(tenant_ids, features);

  if settles is not null then
    select array_agg(c.tenant_id), array_agg(c.feature), array_agg(c.quarter), array_agg(-c.tokens)
    into c_tenants, c_features, c_quarters, c_reserved
    from (
      select array_agg(e.tenant_id) as tenants, array_agg(e.id) as ids
      from unnest(tenant_ids, event_ids, settles) as e (tenant_id, id, settles)
      where e.settles
    ) as settled
    cross join lateral close_reservations(settled.tenants, settled.ids, 'settled') as c;
    c_nothing := array_fill(0::bigint, array[coalesce(cardinality(c_tenants), 0)]);
  end if;

  with inserted as (
    insert into events (tenant_id, id, feature, tokens, created_at, received_at, counted_as)
    select e.tenant_id, e.id, e.feature, e.tokens, e.created_at, e.received_at, nullif(e.counted_as, e.feature)
    from unnest(tenant_ids, event_ids, features, tokens, created_ats, received_ats, counted)
      with ordinality as e (tenant_id, id, feature, tokens, created_at, received_at, counted_as, position)
    order by e.tenant_id, e.id, e.position
    on conflict do nothing
    returning tenant_id, coalesce(counted_as, feature) as feature, created_at, tokens
  ),
  grouped as (
    select tenant_id, feature, date_bin('1 minute', created_at, timestamptz 'epoch') as minute,
           sum(tokens)::bigint as tokens, count(*) as events
    from inserted
    group by 1, 2, 3
    order by 1, 2, 3
  )
  select array_agg(g.tenant_id), array_agg(g.feature), array_agg(g.minute), array_agg(g.tokens), array_agg(g.events)
  into r_tenants, r_features, r_minutes, r_tokens, r_counts
  from grouped g;

  if r_tenants is null and c_tenants is null then
    return;
  end if;

  insert into rollups as r (tenant_id, feature, minute, total_tokens, event_count)
  select * from unnest(r_tenants, r_features, r_minutes, r_tokens, r_counts)
  on conflict (tenant_id, feature, minute) do update
  set total_tokens = r.total_tokens + excluded.total_tokens,
      event_count = r.event_count + excluded.event_count,
      updated_at = now();
  perform rebuild_follow(r_tenants, r_features, r_minutes, r_tokens, r_counts) where exists (select from tenant_rebuilds);

  for counter in
    with quarters as (
      select g.tenant_id, g.feature, date_bin('15 minutes', g.minute, timestamptz 'epoch') as quarter,
             sum(g.tokens)::bigint as tokens, sum(g.events)::bigint as events
      from unnest(r_tenants, r_features, r_minutes, r_tokens, r_counts) as g (tenant_id, feature, minute, tokens, events)
      group by 1, 2, 3
    )
    select m.*, array(
             select threshold from unnest(m.thresholds) as threshold
             where m.period_end > now()
               and threshold_reached(m.total_tokens, m.token_limit, threshold)
               and not threshold_reached(m.total_tokens - m.added_tokens, m.token_limit, threshold)
             order by threshold
           ) as crossed,
           case when m.quota_id = m.tenant_id and '(other)' = any (r_features) then (
             select sum(g.events) from quarters g
             where g.tenant_id = m.tenant_id and g.feature = '(other)' and g.quarter >= m.period_start and g.quarter < m.period_end
           ) end as remainder_events
    from (
      select array_agg(q.tenant_id) || c_tenants as tenants, array_agg(q.feature) || c_features as features,
             array_agg(q.quarter) || c_quarters as quarters, array_agg(q.tokens) || c_nothing as tokens,
             array_agg(q.events) || c_nothing as events, array_fill(0::bigint, array[count(*)::int]) || c_reserved as reserved
      from quarters q
    ) as a
    cross join lateral move_counters(a.tenants, a.features, a.quarters, a.tokens, a.events, a.reserved) as m
    order by m.tenant_id, m.quota_id, m.period_start
  loop
    tenant_id := counter.tenant_id;
    quota_id := counter.quota_id;
    feature := counter.feature;
    hard := counter.hard;
    period_start := counter.period_start;
    period_end := counter.period_end;
    token_limit := counter.token_limit;
    previous_tokens := counter.total_tokens - counter.added_tokens;
    total_tokens := counter.total_tokens;
    recorded_events := counter.added_events;
    crossed := counter.crossed;
    remainder_events := coalesce(counter.remainder_events, 0);
    foreach threshold in array crossed loop
      perform raise_alert(
        tenant_id, quota_id, feature, counter.period, period_start, period_end, threshold, counter.version, token_limit, total_tokens
      );
    end loop;
    return next;
  end loop;
end
$$;
