-- What is shown of a tenant among others, at a moment: its counter of the open period, its pace now and over the last 24 hours.
-- Both paces slide: of the oldest minute and the oldest hour, the share counts that still lies within.
create or replace function usage_at(tenant tenants, at timestamptz)
returns table (
  id uuid, name text, monthly_quota bigint, thresholds int[], period_start timestamptz, period_end timestamptz,
  total_tokens bigint, event_count bigint, reserved_tokens bigint, tokens_per_minute bigint, tokens_last_day bigint
)
language sql
stable
as $$
  select tenant.id, tenant.name, tenant.monthly_quota, tenant.thresholds, p.period_start, p.period_end,
         coalesce(u.total_tokens, 0), coalesce(u.event_count, 0), coalesce(u.reserved_tokens, 0),
         (
           select coalesce(round(sum(r.total_tokens * least(1, extract(epoch from r.minute + interval '2 minutes' - at) / 60))), 0)::bigint
           from rollups r
           where r.tenant_id = tenant.id and r.minute > at - interval '2 minutes' and r.minute <= at
         ),
         (
           select coalesce(round(sum(h.total_tokens * least(1, extract(epoch from h.hour + interval '25 hours' - at) / 3600))), 0)::bigint
           from usage_hours h
           where h.tenant_id = tenant.id and h.hour > at - interval '25 hours' and h.hour <= at
         )
  from billing_period(at, tenant.billing_day, tenant.timezone) as p
  left join usage_periods u on u.tenant_id = tenant.id and u.quota_id = tenant.id and u.period_start = p.period_start
$$;
