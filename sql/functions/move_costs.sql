-- Adds what events cost more or less than before to every counter of a tenant that has them: moves by feature and
-- minute, by split and quarter of an hour, and for quotas. No counter is made: those of short periods may be pruned.
-- The caller holds the tenant's row.
create or replace function move_costs(
  p_tenant uuid, p_rollups usage_move[], p_splits usage_move[], p_quotas quota_move[]
)
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

  update usage_features f
  set cost_nanos = f.cost_nanos + m.cost, priced_events = f.priced_events + m.priced
  from (
    select p.period_start, m.value as feature, sum(m.cost_nanos)::bigint as cost, sum(m.priced_events)::bigint as priced
    from unnest(p_rollups) as m
    join billing_periods(
      array(select p_tenant from unnest(p_rollups)),
      array(select date_bin('15 minutes', m.moment, timestamptz 'epoch') from unnest(p_rollups) as m)
    ) as p on p.moment = date_bin('15 minutes', m.moment, timestamptz 'epoch')
    group by 1, 2
  ) as m
  where f.tenant_id = p_tenant and f.period_start = m.period_start and f.feature = m.feature;

  update usage_periods u
  set cost_nanos = u.cost_nanos + m.cost, priced_events = u.priced_events + m.priced
  from (
    select q.quota_id, p.period_start, case when q.per_user then m.user_id else '' end as user_id,
           sum(m.cost_nanos)::bigint as cost, sum(m.priced_events)::bigint as priced
    from unnest(p_quotas) as m
    join tenant_quotas q
      on q.tenant_id = p_tenant and (q.feature is null or q.feature = m.feature)
        and (q.model is null or q.model = m.model) and (not q.per_user or m.user_id is not null)
        and m.quarter >= q.counts_from
    cross join lateral
      counter_period(p_tenant, q.quota_id, m.quarter, q.period, q.billing_day, q.timezone, q.per_user) as p
    group by 1, 2, 3
  ) as m
  where u.tenant_id = p_tenant and u.quota_id = m.quota_id and u.period_start = m.period_start
    and u.user_id = m.user_id;
end
$$;
