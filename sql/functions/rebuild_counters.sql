-- Makes the counters of one of a tenant's quotas anew, or of all beside the monthly one (null), from its open period on: months from the
-- split by feature, shorter periods from the minutes of at most a week, holds from reservations. Never from all of history.
-- The caller holds the tenant's row against record_events and reserve_tokens.
create or replace function rebuild_counters(tenant uuid, only_quota uuid default null)
returns void
language sql
as $$
  update quotas
  set counts_from = (
    select p.period_start from tenants t, lateral quota_period(now(), quotas.period, t.billing_day, t.timezone) as p where t.id = tenant
  )
  where tenant_id = tenant and (only_quota is null or id = only_quota);

  delete from usage_periods where tenant_id = tenant and quota_id <> tenant and (only_quota is null or quota_id = only_quota);

  insert into usage_periods (tenant_id, quota_id, period_start, period_end, total_tokens, event_count, reserved_tokens)
  select tenant, c.id, p.period_start, p.period_end, sum(c.tokens)::bigint, sum(c.events)::bigint, sum(c.reserved)::bigint
  from (
    select q.id, f.period_start as moment, sum(f.total_tokens) as tokens, sum(f.event_count) as events, 0 as reserved
    from quotas q join usage_features f on f.tenant_id = q.tenant_id
    where q.tenant_id = tenant and q.period = 'month' and (only_quota is null or q.id = only_quota)
      and f.period_start >= q.counts_from and (q.feature is null or q.feature = f.feature)
    group by 1, 2
    union all
    select q.id, date_bin('15 minutes', h.created_at, timestamptz 'epoch'), 0, 0, sum(h.tokens)
    from quotas q join reservations h on h.tenant_id = q.tenant_id and h.status = 'held'
    where q.tenant_id = tenant and q.period = 'month' and (only_quota is null or q.id = only_quota)
      and h.created_at >= q.counts_from and (q.feature is null or q.feature = h.feature)
    group by 1, 2
  ) as c
  join tenants t on t.id = tenant
  cross join lateral billing_period(c.moment, t.billing_day, t.timezone) as p
  group by 1, 2, 3, 4;

  insert into usage_periods (tenant_id, quota_id, period_start, period_end, total_tokens, event_count, reserved_tokens)
  select e.*
  from (
    select min(counts_from) as since from quotas
    where tenant_id = tenant and period <> 'month' and (only_quota is null or id = only_quota)
  ) as open
  cross join lateral expected_counters(tenant, open.since) as e
  where e.quota_id in (
    select id from quotas where tenant_id = tenant and period <> 'month' and (only_quota is null or id = only_quota)
  );
$$;
