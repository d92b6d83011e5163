-- Adds to every counter that is concerned: those of the tenant's quotas that count the feature, at that quarter of an
-- hour (where every period of every zone begins), the split by feature, and the hour. `p_reserved` may be negative: a
-- hold that is given back. Returns the counters of quotas that moved, with what was added.
-- Locks are taken in one global order: by key.
create or replace function move_counters(
  p_tenants uuid[], p_features text[], p_quarters timestamptz[], p_tokens bigint[], p_events bigint[],
  p_reserved bigint[]
)
returns table (
  tenant_id uuid, quota_id uuid, feature text, period text, token_limit bigint, hard boolean, thresholds int[],
  version int, period_start timestamptz, period_end timestamptz, added_tokens bigint, added_events bigint,
  total_tokens bigint, reserved_tokens bigint
)
language plpgsql
as $$
begin
  insert into usage_hours as h (tenant_id, hour, total_tokens, event_count)
  select g.tenant_id, date_bin('1 hour', g.quarter, timestamptz 'epoch'), sum(g.tokens)::bigint, sum(g.events)::bigint
  from unnest(p_tenants, p_quarters, p_tokens, p_events) as g (tenant_id, quarter, tokens, events)
  where g.events > 0
  group by 1, 2
  order by 1, 2
  on conflict on constraint usage_hours_pkey do update
  set total_tokens = h.total_tokens + excluded.total_tokens,
      event_count = h.event_count + excluded.event_count;

  insert into usage_features as f (tenant_id, period_start, feature, total_tokens, event_count)
  select g.tenant_id, p.period_start, g.feature, sum(g.tokens)::bigint, sum(g.events)::bigint
  from (
    select i.tenant_id, i.feature, i.quarter, sum(i.tokens) as tokens, sum(i.events) as events
    from unnest(p_tenants, p_features, p_quarters, p_tokens, p_events)
      as i (tenant_id, feature, quarter, tokens, events)
    where i.events > 0
    group by 1, 2, 3
  ) as g
  join (
    select t.id, q.quarter, c.period_start
    from (
      select distinct i.tenant_id, i.quarter
      from unnest(p_tenants, p_quarters, p_events) as i (tenant_id, quarter, events)
      where i.events > 0
    ) as q
    join tenants t on t.id = q.tenant_id
    cross join lateral counter_period(t.id, t.id, q.quarter, 'month', t.billing_day, t.timezone) as c
  ) as p on p.id = g.tenant_id and p.quarter = g.quarter
  group by 1, 2, 3
  order by 1, 2, 3
  on conflict on constraint usage_features_pkey do update
  set total_tokens = f.total_tokens + excluded.total_tokens,
      event_count = f.event_count + excluded.event_count;

  return query
  with given as (
    select i.tenant_id, i.feature, i.quarter,
           sum(i.tokens) as tokens, sum(i.events) as events, sum(i.reserved) as reserved
    from unnest(p_tenants, p_features, p_quarters, p_tokens, p_events, p_reserved)
      as i (tenant_id, feature, quarter, tokens, events, reserved)
    group by 1, 2, 3
  ),
  concerned as (
    select q.tenant_id, q.quota_id, g.quarter, q.period, q.billing_day, q.timezone,
           sum(g.tokens) as tokens, sum(g.events) as events, sum(g.reserved) as reserved
    from given g join tenant_quotas q on q.tenant_id = g.tenant_id
    where (q.feature is null or q.feature = g.feature) and g.quarter >= q.counts_from
    group by 1, 2, 3, 4, 5, 6
  ),
  delta as (
    select c.tenant_id, c.quota_id, p.period_start, p.period_end,
           sum(c.tokens)::bigint as tokens, sum(c.events)::bigint as events, sum(c.reserved)::bigint as reserved
    from concerned c
    cross join lateral counter_period(c.tenant_id, c.quota_id, c.quarter, c.period, c.billing_day, c.timezone) as p
    group by 1, 2, 3, 4
    order by 1, 2, 3
  ),
  moved as (
    insert into usage_periods as u
      (tenant_id, quota_id, period_start, period_end, total_tokens, event_count, reserved_tokens)
    select d.* from delta d
    on conflict on constraint usage_periods_pkey do update
    set total_tokens = u.total_tokens + excluded.total_tokens,
        event_count = u.event_count + excluded.event_count,
        reserved_tokens = u.reserved_tokens + excluded.reserved_tokens
    returning u.tenant_id, u.quota_id, u.period_start, u.period_end, u.total_tokens, u.reserved_tokens
  )
  select m.tenant_id, m.quota_id, q.feature, q.period, q.token_limit, q.hard, q.thresholds, q.version,
         m.period_start, m.period_end, d.tokens, d.events, m.total_tokens, m.reserved_tokens
  from moved m
  join delta d using (tenant_id, quota_id, period_start)
  join tenant_quotas q using (tenant_id, quota_id);
end
$$;
