-- A tenant's quotas with their counters at a moment, the monthly one first; those per user only for a given user. The
-- limit, what is used and what is held are in what the quota counts.
create or replace function quotas_at(p_tenant uuid, p_moment timestamptz, p_user text default null)
returns table (
  quota_id uuid, feature text, model text, metric text, user_id text, period text, hard boolean, thresholds int[],
  version int, token_limit bigint, period_start timestamptz, period_end timestamptz, total_tokens bigint,
  reserved_tokens bigint
)
language sql stable
as $$
  select q.quota_id, q.feature, q.model, q.metric, case when q.per_user then p_user else '' end, q.period, q.hard,
         q.thresholds, q.version + coalesce(x.version, 0), coalesce(x.token_limit, q.token_limit), p.period_start,
         p.period_end,
         coalesce(in_metric(q.metric, u.total_tokens, u.event_count, u.cost_nanos), 0), coalesce(u.reserved_tokens, 0)
  from tenant_quotas q
  cross join lateral
    counter_period(q.tenant_id, q.quota_id, p_moment, q.period, q.billing_day, q.timezone, q.per_user) as p
  left join usage_periods u
    on u.tenant_id = q.tenant_id and u.quota_id = q.quota_id and u.period_start = p.period_start
      and u.user_id = case when q.per_user then p_user else '' end
  left join quota_users x
    on q.per_user and x.tenant_id = q.tenant_id and x.quota_id = q.quota_id and x.user_id = p_user
  where q.tenant_id = p_tenant and (not q.per_user or p_user is not null)
  order by q.quota_id <> q.tenant_id, q.feature nulls first, p.period_end, q.quota_id
$$;
