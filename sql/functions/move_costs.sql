-- Adds what events cost more or less than before to every counter of a tenant that has them: moves by feature and
-- minute, and by split and quarter of an hour. No counter is made: those of short periods may be pruned. The caller
-- holds the tenant's row.
create or replace function move_costs(p_tenant uuid, p_rollups usage_move[], p_splits usage_move[])
returns void
language plpgsql
as $$
begin
  update rollups r
  set cost_nanos = r.cost_nanos + m.cost_nanos, priced_events = r.priced_events + m.priced_events, updated_at = now()
  from unnest(p_rollups) as m
  where r.tenant_id = p_tenant and r.feature = m.value and r.minute = m.moment;

  update split_quarters q
  set cost_nanos = q.cost_nanos + m.cost_nanos, priced_events = q.priced_events + m.priced_events
  from unnest(p_splits) as m
  where q.tenant_id = p_tenant and q.split = m.split and q.value = m.value and q.quarter = m.moment;

  update usage_splits s
  set cost_nanos = s.cost_nanos + m.cost, priced_events = s.priced_events + m.priced
  from (
    select p.period_start, m.split, m.value, sum(m.cost_nanos)::bigint as cost, sum(m.priced_events)::bigint as priced
    from unnest(p_splits) as m
    join billing_periods(
      array(select m.tenant_id from unnest(p_splits) as m), array(select m.moment from unnest(p_splits) as m)
    ) as p using (tenant_id, moment)
    group by 1, 2, 3
  ) as m
  where s.tenant_id = p_tenant and s.period_start = m.period_start and s.split = m.split and s.value = m.value;

  perform rebuild_follow(p_rollups, p_splits) where exists (select from tenant_rebuilds);

  update usage_hours h
  set cost_nanos = h.cost_nanos + m.cost, priced_events = h.priced_events + m.priced
  from (
    select date_bin('1 hour', moment, timestamptz 'epoch') as hour, sum(cost_nanos)::bigint as cost,
           sum(priced_events)::bigint as priced
    from unnest(p_rollups)
    group by 1
  ) as m
  where h.tenant_id = p_tenant and h.hour = m.hour;

  with quarters as (
    select value as feature, date_bin('15 minutes', moment, timestamptz 'epoch') as quarter,
           sum(cost_nanos)::bigint as cost, sum(priced_events)::bigint as priced
    from unnest(p_rollups)
    group by 1, 2
  ),
  features as (
    update usage_features f
    set cost_nanos = f.cost_nanos + m.cost, priced_events = f.priced_events + m.priced
    from (
      select p.period_start, q.feature, sum(q.cost)::bigint as cost, sum(q.priced)::bigint as priced
      from quarters q
      join billing_periods(
        array(select p_tenant from quarters), array(select q.quarter from quarters q)
      ) as p on p.moment = q.quarter
      group by 1, 2
    ) as m
    where f.tenant_id = p_tenant and f.period_start = m.period_start and f.feature = m.feature
  )
  update usage_periods u
  set cost_nanos = u.cost_nanos + m.cost, priced_events = u.priced_events + m.priced
  from (
    select t.quota_id, p.period_start, sum(q.cost)::bigint as cost, sum(q.priced)::bigint as priced
    from quarters q
    join tenant_quotas t
      on t.tenant_id = p_tenant and (t.feature is null or t.feature = q.feature) and q.quarter >= t.counts_from
    cross join lateral counter_period(p_tenant, t.quota_id, q.quarter, t.period, t.billing_day, t.timezone) as p
    group by 1, 2
  ) as m
  where u.tenant_id = p_tenant and u.quota_id = m.quota_id and u.period_start = m.period_start;
end
$$;
