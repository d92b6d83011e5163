-- Records a batch of events: deduplicates them, rolls them up by the minute, moves the counters and raises the alerts
-- that are due, all in one transaction. The arrays run in parallel, one element per event. An id already recorded for
-- its tenant changes nothing. `p_settles` says which events settle the reservation of the same id: its hold is given
-- back here, in the transaction that counts the event; null: none. `p_details`: what events say beyond their feature
-- and tokens (event_details); null: nothing. Features beyond what a tenant may have are counted together
-- (counted_features). Returns each counter of a monthly or a hard quota that moved, and of others each that crossed a
-- threshold: what was added, its value now, and the thresholds it crossed, ascending; with that of the monthly quota
-- also how many events were counted in a remainder, and how many have an unknown cost because their model has no price.
-- A counter whose period is over crosses nothing: late events alert nobody. Raises 23503 (foreign_key_violation) when a
-- tenant does not exist.
--
-- Plans are generic: PostgreSQL would look for the best plan for one event at every call, a quarter of the whole time.
--
-- Every lock is taken in one global order, or concurrent batches deadlock: tenants by id, features by key, reservations
-- by (tenant, id), split_counts by key, prices, events by (tenant, id), rollups by key, splits as in move_splits,
-- counters as in move_counters and move_quotas.
create or replace function record_events(
  p_tenants uuid[], p_ids uuid[], p_features text[], p_tokens bigint[], p_created_ats timestamptz[],
  p_received_ats timestamptz[], p_settles boolean[], p_details jsonb
)
returns table (
  tenant_id uuid, quota_id uuid, user_id text, feature text, model text, hard boolean, period_start timestamptz,
  period_end timestamptz, token_limit bigint, previously_used bigint, used bigint, recorded_tokens bigint,
  recorded_events bigint, crossed int[], remainder_events bigint, unpriced_events bigint
)
language plpgsql
set plan_cache_mode = force_generic_plan
as $$
declare
  v_missing uuid;
  v_counted text[];
  v_metric text;
  v_period text;
  v_version int;
  v_threshold int;
  v_holds hold[] := '{}';
  v_rollups usage_move[];
  v_splits usage_move[];
  v_quotas quota_move[];
  v_remainders uuid[]; -- of whom, once per event
  v_unpriced uuid[]; -- the same
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

  if p_details is not null then
    select * into v_rollups, v_splits, v_quotas, v_remainders, v_unpriced
    from insert_detailed_events(
      p_tenants, p_ids, p_features, p_tokens, p_created_ats, p_received_ats, v_counted,
      event_details(p_tenants, p_ids, p_tokens, p_created_ats, p_settles, p_details)
    );
  else
    -- The same for events that say no more, which takes half the time.
    with inserted as (
      insert into events as n (tenant_id, id, feature, tokens, created_at, received_at, counted_as)
      select e.tenant_id, e.id, e.feature, e.tokens, e.created_at, e.received_at, nullif(e.counted_as, e.feature)
      from unnest(p_tenants, p_ids, p_features, p_tokens, p_created_ats, p_received_ats, v_counted)
        with ordinality as e (tenant_id, id, feature, tokens, created_at, received_at, counted_as, place)
      order by e.tenant_id, e.id, e.place
      on conflict do nothing
      returning n.tenant_id, n.feature, n.tokens, n.created_at, n.counted_as
    ),
    rolled as (
      select i.tenant_id, coalesce(i.counted_as, i.feature) as feature,
             date_bin('1 minute', i.created_at, timestamptz 'epoch') as minute,
             sum(i.tokens)::bigint as tokens, count(*) as events
      from inserted i
      group by 1, 2, 3
      order by 1, 2, 3
    )
    select
      (
        select array_agg(row(
          r.tenant_id, 'feature', r.feature, r.minute, r.tokens, r.events, 0, 0, 0, 0, 0, 0, 0
        )::usage_move)
        from rolled r
      ),
      (
        select array_agg(row(
          r.tenant_id, r.feature, null, null, date_bin('15 minutes', r.minute, timestamptz 'epoch'), r.tokens,
          r.events, 0, 0, 0, 0, 0
        )::quota_move)
        from rolled r
      ),
      (select array_agg(i.tenant_id) from inserted i where i.counted_as is not null)
    into v_rollups, v_quotas, v_remainders;
  end if;

  if v_rollups is null and cardinality(v_holds) = 0 then
    return;
  end if;

  insert into rollups as r (
    tenant_id, feature, minute, total_tokens, event_count, input_tokens, cache_read_tokens, cache_write_tokens,
    output_tokens, reasoning_tokens, cost_nanos, priced_events
  )
  select m.tenant_id, m.value, m.moment, m.total_tokens, m.event_count, m.input_tokens, m.cache_read_tokens,
         m.cache_write_tokens, m.output_tokens, m.reasoning_tokens, m.cost_nanos, m.priced_events
  from unnest(v_rollups) as m
  on conflict on constraint rollups_pkey do update
  set total_tokens = r.total_tokens + excluded.total_tokens,
      event_count = r.event_count + excluded.event_count,
      input_tokens = r.input_tokens + excluded.input_tokens,
      cache_read_tokens = r.cache_read_tokens + excluded.cache_read_tokens,
      cache_write_tokens = r.cache_write_tokens + excluded.cache_write_tokens,
      output_tokens = r.output_tokens + excluded.output_tokens,
      reasoning_tokens = r.reasoning_tokens + excluded.reasoning_tokens,
      cost_nanos = r.cost_nanos + excluded.cost_nanos,
      priced_events = r.priced_events + excluded.priced_events,
      updated_at = now();
  if v_splits is not null then
    perform move_splits(v_splits);
  end if;
  perform rebuild_follow(v_rollups, v_splits) where exists (select from tenant_rebuilds);

  if v_rollups is not null then
    perform move_counters(v_rollups);
  end if;
  for tenant_id, quota_id, user_id, feature, model, hard, period_start, period_end, token_limit, previously_used, used,
    recorded_tokens, recorded_events, crossed, v_metric, v_period, v_version in
    select m.tenant_id, m.quota_id, m.user_id, m.feature, m.model, m.hard, m.period_start, m.period_end, m.token_limit,
           m.used - m.added, m.used, m.added_tokens, m.added_events, c.crossed, m.metric, m.period, m.version
    from move_quotas(v_quotas || array(select given_back(v_holds))) as m
    cross join lateral (
      select array(
        select threshold from unnest(m.thresholds) as threshold
        where m.period_end > now()
          and threshold_reached(m.used, m.token_limit, threshold)
          and (
            not threshold_reached(m.used - m.added, m.token_limit, threshold)
            or (m.per_user and m.version > 1 and not is_alerted(
              m.tenant_id, m.quota_id, m.period_start, threshold, m.version, m.user_id
            ))
          )
        order by threshold
      ) as crossed
    ) as c
    where m.quota_id = m.tenant_id or m.hard or cardinality(c.crossed) > 0
    order by m.tenant_id, m.quota_id, m.period_start, m.user_id
  loop
    foreach v_threshold in array crossed loop
      perform raise_alert(
        tenant_id, quota_id, user_id, feature, model, v_metric, v_period, period_start, period_end, v_threshold,
        v_version, token_limit, used
      );
    end loop;
    remainder_events := 0;
    unpriced_events := 0;
    if v_remainders is not null and quota_id = tenant_id then
      remainder_events := cardinality(array_positions(v_remainders, tenant_id));
      v_remainders := array_remove(v_remainders, tenant_id);
    end if;
    if v_unpriced is not null and quota_id = tenant_id then
      unpriced_events := cardinality(array_positions(v_unpriced, tenant_id));
      v_unpriced := array_remove(v_unpriced, tenant_id);
    end if;
    return next;
  end loop;
end
$$;
