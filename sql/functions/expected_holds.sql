-- What counters of quotas by model or per user must have as held, from reservations that are held, of one tenant or of
-- all (null).
create or replace function expected_holds(p_tenant uuid)
returns table (
  tenant_id uuid, quota_id uuid, user_id text, period_start timestamptz, period_end timestamptz, reserved_tokens bigint
)
language sql stable
as $$
  select c.tenant_id, c.quota_id, c.user_id, p.period_start, p.period_end, sum(c.held)::bigint
  from (
    select q.tenant_id, q.quota_id, case when q.per_user then h.user_id else '' end as user_id, q.period,
           q.billing_day, q.timezone, date_bin('15 minutes', h.created_at, timestamptz 'epoch') as quarter,
           sum(in_metric(q.metric, h.tokens, 1, coalesce(h.cost_nanos, 0))) as held
    from reservations h
    join tenant_quotas q on q.tenant_id = h.tenant_id and (q.feature is null or q.feature = h.feature)
      and (q.model is null or q.model = h.model) and (not q.per_user or h.user_id is not null)
    where h.status = 'held' and (q.model is not null or q.per_user) and (p_tenant is null or h.tenant_id = p_tenant)
    group by 1, 2, 3, 4, 5, 6, 7
  ) as c
  cross join lateral quota_period(c.quarter, c.period, c.billing_day, c.timezone) as p
  group by 1, 2, 3, 4, 5
$$;
