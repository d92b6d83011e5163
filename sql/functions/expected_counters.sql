-- What the counters of quotas must hold, but for those by model or per user, from rollups and from reservations that
-- are held: what `verify` compares with.
-- Of one tenant or of all (null), from rollups since a moment.
create or replace function expected_counters(p_tenant uuid, p_since timestamptz)
returns table (
  tenant_id uuid, quota_id uuid, period_start timestamptz, period_end timestamptz,
  total_tokens bigint, event_count bigint, reserved_tokens bigint, cost_nanos bigint, priced_events bigint
)
language sql stable
as $$
  select c.tenant_id, c.quota_id, p.period_start, p.period_end,
         sum(c.tokens)::bigint, sum(c.events)::bigint, sum(c.reserved)::bigint, sum(c.cost)::bigint,
         sum(c.priced)::bigint
  from (
    select q.*, m.quarter, sum(m.tokens) as tokens, sum(m.events) as events,
           sum(in_metric(q.metric, m.held_tokens::bigint, m.held_requests::bigint, m.held_nanos::bigint)) as reserved,
           sum(m.cost) as cost, sum(m.priced) as priced
    from (
      select r.tenant_id, r.feature, date_bin('15 minutes', r.minute, timestamptz 'epoch') as quarter,
             sum(r.total_tokens) as tokens, sum(r.event_count) as events, 0 as held_tokens, 0 as held_requests,
             0 as held_nanos,
             sum(r.cost_nanos) as cost, sum(r.priced_events) as priced
      from rollups r
      where (p_tenant is null or r.tenant_id = p_tenant) and r.minute >= p_since
      group by 1, 2, 3
      union all
      select h.tenant_id, h.feature, date_bin('15 minutes', h.created_at, timestamptz 'epoch'), 0, 0, sum(h.tokens),
             count(*), coalesce(sum(h.cost_nanos), 0), 0, 0
      from reservations h
      where h.status = 'held' and (p_tenant is null or h.tenant_id = p_tenant)
      group by 1, 2, 3
    ) as m
    join (
      select tenant_id, quota_id, feature, metric, period, counts_from, billing_day, timezone from tenant_quotas
      where model is null and not per_user
    ) as q on q.tenant_id = m.tenant_id and (q.feature is null or q.feature = m.feature) and m.quarter >= q.counts_from
    group by q.tenant_id, q.quota_id, q.feature, q.metric, q.period, q.counts_from, q.billing_day, q.timezone, m.quarter
  ) as c
  cross join lateral quota_period(c.quarter, c.period, c.billing_day, c.timezone) as p
  group by 1, 2, 3, 4
$$;
