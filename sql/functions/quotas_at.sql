-- A tenant's quotas with their counters at a moment, the monthly one first.
create or replace function quotas_at(p_tenant uuid, p_moment timestamptz)
returns table (
  quota_id uuid, feature text, period text, hard boolean, thresholds int[], version int, token_limit bigint,
  period_start timestamptz, period_end timestamptz, total_tokens bigint, reserved_tokens bigint
)
language sql stable
as $$
  select q.quota_id, q.feature, q.period, q.hard, q.thresholds, q.version, q.token_limit, p.period_start, p.period_end,
         coalesce(u.total_tokens, 0), coalesce(u.reserved_tokens, 0)
  from tenant_quotas q
  cross join lateral counter_period(q.tenant_id, q.quota_id, p_moment, q.period, q.billing_day, q.timezone) as p
  left join usage_periods u
    on u.tenant_id = q.tenant_id and u.quota_id = q.quota_id and u.period_start = p.period_start
  where q.tenant_id = p_tenant
  order by q.quota_id <> q.tenant_id, q.feature nulls first, p.period_end, q.quota_id
$$;
