-- $1: name to start after, $2: how many at most, $3: the moment, $4: tenant id or null. What is shown of every tenant,
-- by name.
select u.id as tenant, u.name as tenant_name, u.monthly_quota, u.thresholds, u.period_start, u.period_end,
       u.total_tokens, u.event_count, u.cost, u.unpriced_events, u.reserved_tokens, u.tokens_per_minute,
       u.tokens_last_day
from (
  select tenants as tenant from tenants
  where name > $1::text and ($4::uuid is null or id = $4::uuid)
  order by name limit $2::int
) as t
cross join lateral usage_at(t.tenant, $3::timestamptz) as u
order by u.name
