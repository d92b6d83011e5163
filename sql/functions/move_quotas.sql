-- Adds to the counter of every quota that is concerned: of that tenant, feature and model, at that quarter of an hour
-- (where every period of every zone begins); of a quota per user, to that user's. Returns the counters that moved: what
-- was added, what is used and what is held, in what the quota counts.
-- Locks: usage_periods, by key.
--
-- The sides of each full join have the same rows. No plan makes a full join a nested loop, which would look at every
-- pair of a thousand users.
create or replace function move_quotas(p_moves quota_move[])
returns table (
  tenant_id uuid, quota_id uuid, user_id text, feature text, model text, metric text, per_user boolean, period text,
  token_limit bigint, hard boolean, thresholds int[], version int, period_start timestamptz, period_end timestamptz,
  added bigint, added_tokens bigint, added_events bigint, used bigint, held bigint
)
language plpgsql
as $$
#variable_conflict use_column
begin
  return query
  with given as (
    select m.tenant_id, m.feature, m.model, m.user_id, m.quarter, sum(m.tokens) as tokens, sum(m.events) as events,
           sum(m.cost_nanos) as cost, sum(m.priced_events) as priced, sum(m.held_tokens) as held_tokens,
           sum(m.held_requests) as held_requests, sum(m.held_nanos) as held_nanos
    from unnest(p_moves) as m
    group by 1, 2, 3, 4, 5
  ),
  concerned as (
    select q.tenant_id, q.quota_id, case when q.per_user then g.user_id else '' end as user_id, g.quarter,
           q.feature, q.model, q.metric, q.per_user, q.period, q.token_limit, q.hard, q.thresholds, q.version,
           q.billing_day, q.timezone, sum(g.tokens) as tokens, sum(g.events) as events, sum(g.cost) as cost,
           sum(g.priced) as priced,
           sum(in_metric(q.metric, g.held_tokens::bigint, g.held_requests::bigint, g.held_nanos::bigint)) as held
    from given g join tenant_quotas q on q.tenant_id = g.tenant_id
    where (q.feature is null or q.feature = g.feature) and (q.model is null or q.model = g.model)
      and (not q.per_user or g.user_id is not null) and g.quarter >= q.counts_from
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
  ),
  periods as materialized (
    select c.tenant_id, c.quota_id, c.quarter, p.period_start, p.period_end
    from (
      select distinct n.tenant_id, n.quota_id, n.quarter, n.period, n.billing_day, n.timezone, n.per_user
      from concerned n
    ) as c
    cross join lateral
      counter_period(c.tenant_id, c.quota_id, c.quarter, c.period, c.billing_day, c.timezone, c.per_user) as p
  ),
  delta as (
    select tenant_id, quota_id, p.period_start, p.period_end, c.user_id, c.feature, c.model, c.metric, c.per_user,
           c.period, c.token_limit, c.hard, c.thresholds, c.version, sum(c.tokens)::bigint as tokens,
           sum(c.events)::bigint as events, sum(c.held)::bigint as held, sum(c.cost)::bigint as cost,
           sum(c.priced)::bigint as priced
    from concerned c full join periods p using (tenant_id, quota_id, quarter)
    group by 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14
    order by 1, 2, 3, 5
  ),
  moved as (
    insert into usage_periods as u (
      tenant_id, quota_id, period_start, period_end, user_id, total_tokens, event_count, reserved_tokens, cost_nanos,
      priced_events
    )
    select d.tenant_id, d.quota_id, d.period_start, d.period_end, d.user_id, d.tokens, d.events, d.held, d.cost,
           d.priced
    from delta d
    on conflict on constraint usage_periods_pkey do update
    set total_tokens = u.total_tokens + excluded.total_tokens,
        event_count = u.event_count + excluded.event_count,
        reserved_tokens = u.reserved_tokens + excluded.reserved_tokens,
        cost_nanos = u.cost_nanos + excluded.cost_nanos,
        priced_events = u.priced_events + excluded.priced_events
    returning u.tenant_id, u.quota_id, u.period_start, u.user_id, u.total_tokens, u.event_count, u.cost_nanos,
              u.reserved_tokens
  )
  select tenant_id, quota_id, user_id, d.feature, d.model, d.metric, d.per_user, d.period,
         coalesce(x.token_limit, d.token_limit), d.hard, d.thresholds, d.version + coalesce(x.version, 0),
         period_start, d.period_end, in_metric(d.metric, d.tokens, d.events, d.cost), d.tokens, d.events,
         in_metric(d.metric, m.total_tokens, m.event_count, m.cost_nanos), m.reserved_tokens
  from moved m
  full join delta d using (tenant_id, quota_id, period_start, user_id)
  left join quota_users x using (tenant_id, quota_id, user_id);
end
$$;
