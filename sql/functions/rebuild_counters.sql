-- Remakes the counters of one of a tenant's quotas, or of all additional ones (null), from its open period
-- on: months from the split by feature, shorter periods from the hours of at most a week, or from the minutes of a
-- single feature, holds from reservations. Never from all of history, and never from all minutes of a tenant with many
-- features. Quotas by model or per user go on with what they have (continue_counters). The caller holds the tenant's
-- row against record_events and reserve_tokens.
create or replace function rebuild_counters(p_tenant uuid, p_quota uuid default null)
returns void
language sql
as $$
  select continue_counters(p_tenant, p_quota);

  update quotas
  set counts_from = (
    select p.period_start
    from tenants t, lateral quota_period(now(), quotas.period, t.billing_day, t.timezone) as p
    where t.id = p_tenant
  )
  where tenant_id = p_tenant and model is null and not per_user and (p_quota is null or id = p_quota);

  delete from usage_periods u
  using quotas q
  where u.tenant_id = p_tenant and q.tenant_id = p_tenant and q.id = u.quota_id and q.model is null and not q.per_user
    and (p_quota is null or q.id = p_quota);

  insert into usage_periods (
    tenant_id, quota_id, period_start, period_end, total_tokens, event_count, reserved_tokens, cost_nanos,
    priced_events
  )
  select p_tenant, c.id, p.period_start, p.period_end, sum(c.tokens)::bigint, sum(c.events)::bigint,
         sum(c.reserved)::bigint, sum(c.cost)::bigint, sum(c.priced)::bigint
  from (
    select q.id, f.period_start as moment, sum(f.total_tokens) as tokens, sum(f.event_count) as events, 0 as reserved,
           sum(f.cost_nanos) as cost, sum(f.priced_events) as priced
    from quotas q join usage_features f on f.tenant_id = q.tenant_id
    where q.tenant_id = p_tenant and q.period = 'month' and (p_quota is null or q.id = p_quota)
      and q.model is null and not q.per_user and f.period_start >= q.counts_from
      and (q.feature is null or q.feature = f.feature)
    group by 1, 2
    union all
    select q.id, date_bin('15 minutes', h.created_at, timestamptz 'epoch'), 0, 0,
           sum(in_metric(q.metric, h.tokens, 1, coalesce(h.cost_nanos, 0))), 0, 0
    from quotas q join reservations h on h.tenant_id = q.tenant_id and h.status = 'held'
    where q.tenant_id = p_tenant and q.period = 'month' and (p_quota is null or q.id = p_quota)
      and q.model is null and not q.per_user and h.created_at >= q.counts_from
      and (q.feature is null or q.feature = h.feature)
    group by 1, 2
  ) as c
  join tenants t on t.id = p_tenant
  cross join lateral billing_period(c.moment, t.billing_day, t.timezone) as p
  group by 1, 2, 3, 4;

  insert into usage_periods (
    tenant_id, quota_id, period_start, period_end, total_tokens, event_count, reserved_tokens, cost_nanos,
    priced_events
  )
  with short as (
    select q.id, q.feature, q.metric, q.period, q.counts_from, t.billing_day, t.timezone
    from quotas q join tenants t on t.id = q.tenant_id
    where q.tenant_id = p_tenant and q.period <> 'month' and (p_quota is null or q.id = p_quota)
      and q.model is null and not q.per_user
  ),
  -- Whole hours of one period: where a zone is off by part of an hour, a period may begin within one.
  hours as (
    select s.id, h.hour, h.total_tokens, h.event_count, h.cost_nanos, h.priced_events
    from short s
    join usage_hours h on h.tenant_id = p_tenant and h.hour >= s.counts_from and h.event_count is not null
    where s.feature is null
      and (select p.period_start from quota_period(h.hour, s.period, s.billing_day, s.timezone) as p)
        = (
          select p.period_start
          from quota_period(h.hour + interval '45 minutes', s.period, s.billing_day, s.timezone) as p
        )
  ),
  -- Of all features, the hours that are not whole or not known.
  rest as (
    select s.id, h.hour
    from short s
    join (
      select distinct hour from usage_hours where tenant_id = p_tenant
    ) as h on h.hour > s.counts_from - interval '1 hour'
    where s.feature is null and not exists (select from hours w where w.id = s.id and w.hour = h.hour)
  ),
  counted as (
    select id, hour as moment, total_tokens as tokens, event_count as events, 0 as reserved, cost_nanos as cost,
           priced_events as priced
    from hours
    union all
    select x.id, date_bin('15 minutes', r.minute, timestamptz 'epoch'), r.total_tokens, r.event_count, 0,
           r.cost_nanos, r.priced_events
    from rest x
    join short s using (id)
    join rollups r on r.tenant_id = p_tenant
      and r.minute >= greatest(x.hour, s.counts_from) and r.minute < x.hour + interval '1 hour'
    union all
    select s.id, date_bin('15 minutes', r.minute, timestamptz 'epoch'), r.total_tokens, r.event_count, 0,
           r.cost_nanos, r.priced_events
    from short s join rollups r on r.tenant_id = p_tenant and r.feature = s.feature and r.minute >= s.counts_from
    union all
    select s.id, date_bin('15 minutes', h.created_at, timestamptz 'epoch'), 0, 0,
           in_metric(s.metric, h.tokens, 1, coalesce(h.cost_nanos, 0)), 0, 0
    from short s join reservations h on h.tenant_id = p_tenant and h.status = 'held'
      and h.created_at >= s.counts_from and (s.feature is null or s.feature = h.feature)
  ),
  moments as (
    select id, moment, sum(tokens) as tokens, sum(events) as events, sum(reserved) as reserved, sum(cost) as cost,
           sum(priced) as priced
    from counted
    group by 1, 2
  )
  select p_tenant, m.id, p.period_start, p.period_end, sum(m.tokens)::bigint, sum(m.events)::bigint,
         sum(m.reserved)::bigint, sum(m.cost)::bigint, sum(m.priced)::bigint
  from moments m
  join short s using (id)
  cross join lateral quota_period(m.moment, s.period, s.billing_day, s.timezone) as p
  group by 1, 2, 3, 4;
$$;
