-- $1: tenant id, $2: the moment, $3: user. What the user has used in the open billing period of the tenant, and the
-- quotas per user with its counters.
select t.id as tenant, t.name as tenant_name, $3::text as user, coalesce(s.total_tokens, 0) as total_tokens,
       coalesce(s.event_count, 0) as event_count,
       pools_json(
         coalesce(s.input_tokens, 0), coalesce(s.cache_read_tokens, 0), coalesce(s.cache_write_tokens, 0),
         coalesce(s.output_tokens, 0), coalesce(s.reasoning_tokens, 0)
       ) as pools,
       dollars(coalesce(s.cost_nanos, 0)) as cost, coalesce(s.event_count - s.priced_events, 0) as unpriced_events,
       p.period_start, p.period_end,
       coalesce((select json_agg(q) from quotas_at(t.id, $2::timestamptz, $3::text) as q where q.user_id <> ''), '[]')
         as quotas
from tenants t
cross join lateral billing_period($2::timestamptz, t.billing_day, t.timezone) as p
left join usage_splits s
  on s.tenant_id = t.id and s.period_start = p.period_start and s.split = 'user' and s.value = $3::text
where t.id = $1::uuid
