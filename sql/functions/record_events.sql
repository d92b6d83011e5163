-- Records a batch of events: deduplicates them, rolls them up by the minute, moves the counters and raises the alerts
-- that are due, all in one transaction.
-- The arrays run in parallel, one element per event. An id already recorded for its tenant changes nothing.
-- Returns each counter that moved: its value before and after, and the thresholds it crossed, ascending.
-- A counter whose period is over crosses nothing: late events alert nobody.
-- Raises 23503 (foreign_key_violation) when a tenant does not exist.
--
-- Every lock is taken in one global order, or concurrent batches deadlock: tenants by id, events by (tenant, id),
-- rollups by key, counters by key.
create or replace function record_events(
  tenant_ids uuid[], event_ids uuid[], features text[], tokens bigint[], created_ats timestamptz[], received_ats timestamptz[]
)
returns table (
  tenant_id uuid, quota_id uuid, period_start timestamptz, token_limit bigint,
  previous_tokens bigint, total_tokens bigint, recorded_events bigint, crossed int[]
)
language plpgsql
as $$
#variable_conflict use_column
declare
  missing uuid;
  counter record;
  threshold int;
  r_tenants uuid[]; r_features text[]; r_minutes timestamptz[]; r_tokens bigint[]; r_counts bigint[];
  u_tenants uuid[]; u_starts timestamptz[]; u_ends timestamptz[]; u_features text[]; u_tokens bigint[]; u_counts bigint[];
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

  with inserted as (
    insert into events (tenant_id, id, feature, tokens, created_at, received_at)
    select e.tenant_id, e.id, e.feature, e.tokens, e.created_at, e.received_at
    from unnest(tenant_ids, event_ids, features, tokens, created_ats, received_ats)
      with ordinality as e (tenant_id, id, feature, tokens, created_at, received_at, position)
    order by e.tenant_id, e.id, e.position
    on conflict do nothing
    returning tenant_id, feature, created_at, tokens
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

  if r_tenants is null then
    return;
  end if;

  insert into rollups as r (tenant_id, feature, minute, total_tokens, event_count)
  select * from unnest(r_tenants, r_features, r_minutes, r_tokens, r_counts)
  on conflict (tenant_id, feature, minute) do update
  set total_tokens = r.total_tokens + excluded.total_tokens,
      event_count = r.event_count + excluded.event_count,
      updated_at = now();

  with quarters as (
    select g.tenant_id, g.feature, date_bin('15 minutes', g.minute, timestamptz 'epoch') as quarter,
           sum(g.tokens) as tokens, sum(g.events) as events
    from unnest(r_tenants, r_features, r_minutes, r_tokens, r_counts) as g (tenant_id, feature, minute, tokens, events)
    group by 1, 2, 3
  ),
  periods as (
    select q.tenant_id, q.quarter, p.period_start, p.period_end
    from (select distinct tenant_id, quarter from quarters) as q
    join tenants t on t.id = q.tenant_id
    cross join lateral billing_period(q.quarter, t.billing_day, t.timezone) as p
  ),
  grouped as (
    select tenant_id, period_start, period_end, feature, sum(tokens)::bigint as tokens, sum(events)::bigint as events
    from quarters join periods using (tenant_id, quarter)
    group by 1, 2, 3, 4
    order by 1, 2, 4
  )
  select array_agg(g.tenant_id), array_agg(g.period_start), array_agg(g.period_end), array_agg(g.feature),
         array_agg(g.tokens), array_agg(g.events)
  into u_tenants, u_starts, u_ends, u_features, u_tokens, u_counts
  from grouped g;

  insert into usage_features as f (tenant_id, period_start, feature, total_tokens, event_count)
  select * from unnest(u_tenants, u_starts, u_features, u_tokens, u_counts)
  on conflict (tenant_id, period_start, feature) do update
  set total_tokens = f.total_tokens + excluded.total_tokens,
      event_count = f.event_count + excluded.event_count;

  for counter in
    with delta as (
      select u.tenant_id, u.period_start, u.period_end, sum(u.tokens)::bigint as tokens, sum(u.events)::bigint as events
      from unnest(u_tenants, u_starts, u_ends, u_tokens, u_counts) as u (tenant_id, period_start, period_end, tokens, events)
      group by 1, 2, 3
      order by 1, 2
    ),
    moved as (
      insert into usage_periods as u (tenant_id, quota_id, period_start, period_end, total_tokens, event_count)
      select d.tenant_id, d.tenant_id, d.period_start, d.period_end, d.tokens, d.events from delta d
      on conflict (tenant_id, quota_id, period_start) do update
      set total_tokens = u.total_tokens + excluded.total_tokens,
          event_count = u.event_count + excluded.event_count
      returning u.tenant_id, u.quota_id, u.period_start, u.period_end, u.total_tokens
    )
    select m.*, m.total_tokens - d.tokens as previous_tokens, d.events, t.monthly_quota, t.quota_version, array(
             select threshold from unnest(t.thresholds) as threshold
             where m.period_end > now()
               and threshold_reached(m.total_tokens, t.monthly_quota, threshold)
               and not threshold_reached(m.total_tokens - d.tokens, t.monthly_quota, threshold)
             order by threshold
           ) as crossed
    from moved m
    join delta d using (tenant_id, period_start)
    join tenants t on t.id = m.tenant_id
  loop
    tenant_id := counter.tenant_id;
    quota_id := counter.quota_id;
    period_start := counter.period_start;
    token_limit := counter.monthly_quota;
    previous_tokens := counter.previous_tokens;
    total_tokens := counter.total_tokens;
    recorded_events := counter.events;
    crossed := counter.crossed;
    foreach threshold in array crossed loop
      perform raise_alert(
        tenant_id, quota_id, period_start, counter.period_end, threshold, counter.quota_version, token_limit, total_tokens
      );
    end loop;
    return next;
  end loop;
end
$$;
