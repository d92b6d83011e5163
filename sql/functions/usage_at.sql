-- What is shown of a tenant among others, at a moment: its counter of the open period, its pace now and over the last
-- 24 hours. Both paces slide: of the oldest minute and the oldest hour, the share counts that still lies within.
create or replace function usage_at(p_tenant tenants, p_moment timestamptz)
returns table (
  id uuid, name text, monthly_quota bigint, thresholds int[], period_start timestamptz, period_end timestamptz,
  total_tokens bigint, event_count bigint, reserved_tokens bigint, tokens_per_minute bigint, tokens_last_day bigint,
  cost text, unpriced_events bigint
)
language sql
stable
as $$
  select p_tenant.id, p_tenant.name, p_tenant.monthly_quota, p_tenant.thresholds, p.period_start, p.period_end,
         coalesce(u.total_tokens, 0), coalesce(u.event_count, 0), coalesce(u.reserved_tokens, 0),
         (
           select coalesce(round(sum(
                    r.total_tokens * least(1, extract(epoch from r.minute + interval '2 minutes' - p_moment) / 60)
                  )), 0)::bigint
           from rollups r
           where r.tenant_id = p_tenant.id and r.minute > p_moment - interval '2 minutes' and r.minute <= p_moment
         ),
         (
           select coalesce(round(sum(
                    h.total_tokens * least(1, extract(epoch from h.hour + interval '25 hours' - p_moment) / 3600)
                  )), 0)::bigint
           from usage_hours h
           where h.tenant_id = p_tenant.id and h.hour > p_moment - interval '25 hours' and h.hour <= p_moment
         ),
         dollars(coalesce(u.cost_nanos, 0)), coalesce(u.event_count - u.priced_events, 0)
  from billing_period(p_moment, p_tenant.billing_day, p_tenant.timezone) as p
  left join usage_periods u
    on u.tenant_id = p_tenant.id and u.quota_id = p_tenant.id and u.period_start = p.period_start
$$;
