-- Adds to every counter that is concerned: those of the tenant's quotas that count the feature, at that quarter of an hour
-- (where every period of every zone begins), the split by feature, and the hour. `reserved` may be negative: a hold that is given back.
-- Returns the counters of quotas that moved, with what was added. Locks are taken in one global order: by key.
create or replace function move_counters(
  tenants uuid[], features text[], quarters timestamptz[], tokens bigint[], events bigint[], reserved bigint[]
)
returns table (
  tenant_id uuid, quota_id uuid, feature text, period text, token_limit bigint, hard boolean, thresholds int[], version int,
  period_start timestamptz, period_end timestamptz, added_tokens bigint, added_events bigint,
  total_tokens bigint, reserved_tokens bigint
)
language plpgsql
as $$
#variable_conflict use_column
begin
  insert into usage_hours as h (tenant_id, hour, total_tokens, event_count)
  select tenant_id, date_bin('1 hour', quarter, timestamptz 'epoch'), sum(tokens)::bigint, sum(events)::bigint
  from unnest(tenants, quarters, tokens, events) as g (tenant_id, quarter, tokens, events)
  where events > 0
  group by 1, 2
  order by 1, 2
  on conflict (tenant_id, hour) do update
  set total_tokens = h.total_tokens + excluded.total_tokens,
      event_count = h.event_count + excluded.event_count;

  insert into usage_features as f (tenant_id, period_start, feature, total_tokens, event_count)
  select g.tenant_id, p.period_start, g.feature, sum(g.tokens)::bigint, sum(g.events)::bigint
  from (
    select tenant_id, feature, quarter, sum(tokens) as tokens, sum(events) as events
    from unnest(tenants, features, quarters, tokens, events) as g (tenant_id, feature, quarter, tokens, events)
    where events > 0
    group by 1, 2, 3
  ) as g
  join (
    select t.id, q.quarter, p.period_start
    from (
      select distinct q.tenant_id, q.quarter from unnest(tenants, quarters, events) as q (tenant_id, quarter, events) where events > 0
    ) as q
    join tenants t on t.id = q.tenant_id
    cross join lateral counter_period(t.id, t.id, q.quarter, 'month', t.billing_day, t.timezone) as p
  ) as p on p.id = g.tenant_id and p.quarter = g.quarter
  group by 1, 2, 3
  order by 1, 2, 3
  on conflict (tenant_id, period_start, feature) do update
  set total_tokens = f.total_tokens + excluded.total_tokens,
      event_count = f.event_count + excluded.event_count;

  return query
  with given as (
    select tenant_id, feature, quarter, sum(tokens) as tokens, sum(events) as events, sum(reserved) as reserved
    from unnest(tenants, features, quarters, tokens, events, reserved) as g (tenant_id, feature, quarter, tokens, events, reserved)
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
    insert into usage_periods as u (tenant_id, quota_id, period_start, period_end, total_tokens, event_count, reserved_tokens)
    select d.* from delta d
    on conflict (tenant_id, quota_id, period_start) do update
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
