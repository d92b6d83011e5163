-- Locks the counters that these holds count towards, in the order of their keys, and returns them in that order. The
-- statement that locks also creates the missing ones, so nothing is locked twice. `total_tokens` and `reserved_tokens`
-- are in what the quota counts.
create or replace function lock_counters(p_holds hold[])
returns setof quota_counter
language plpgsql
as $$
declare
  v_counters quota_counter[];
begin
  v_counters := array(
    with wanted as (
      select distinct h.tenant_id, h.feature, h.model, h.user_id, h.quarter from unnest(p_holds) as h
    ),
    concerned as (
      select distinct q.tenant_id, q.quota_id, q.feature, q.period, q.hard, q.token_limit, q.metric, q.model,
             q.per_user, q.billing_day, q.timezone, h.quarter,
             case when q.per_user then h.user_id else '' end as user_id
      from wanted h join tenant_quotas q on q.tenant_id = h.tenant_id
      where (q.feature is null or q.feature = h.feature) and (q.model is null or q.model = h.model)
        and (not q.per_user or h.user_id is not null) and h.quarter >= q.counts_from
    ),
    periods as (
      select c.tenant_id, c.quota_id, c.quarter, p.period_start, p.period_end
      from (
        select distinct tenant_id, quota_id, quarter, period, billing_day, timezone, per_user from concerned
      ) as c
      cross join lateral
        counter_period(c.tenant_id, c.quota_id, c.quarter, c.period, c.billing_day, c.timezone, c.per_user) as p
    )
    select row(
             c.tenant_id, c.quota_id, c.feature, c.period, c.hard, c.token_limit, c.period_start, c.period_end, 0, 0,
             c.metric, c.model, c.user_id
           )::quota_counter
    from (
      select distinct n.tenant_id, n.quota_id, n.feature, n.period, n.hard,
             coalesce(x.token_limit, n.token_limit) as token_limit, p.period_start, p.period_end, n.metric, n.model,
             n.user_id
      from concerned n
      join periods p using (tenant_id, quota_id, quarter)
      left join quota_users x
        on n.per_user and x.tenant_id = n.tenant_id and x.quota_id = n.quota_id and x.user_id = n.user_id
    ) as c
    order by c.tenant_id, c.quota_id, c.period_start, c.user_id
  );

  -- A conflict locks its row also where nothing is updated.
  insert into usage_periods as u (
    tenant_id, quota_id, period_start, period_end, user_id, total_tokens, event_count
  )
  select tenant_id, quota_id, period_start, period_end, user_id, 0, 0 from unnest(v_counters)
  on conflict on constraint usage_periods_pkey do update set reserved_tokens = u.reserved_tokens where false;

  return query
  select c.tenant_id, c.quota_id, c.feature, c.period, c.hard, c.token_limit, c.period_start, c.period_end,
         in_metric(c.metric, u.total_tokens, u.event_count, u.cost_nanos), u.reserved_tokens, c.metric, c.model,
         c.user_id
  from unnest(v_counters) as c join usage_periods u using (tenant_id, quota_id, period_start, user_id)
  order by c.tenant_id, c.quota_id, c.period_start, c.user_id;
end
$$;
