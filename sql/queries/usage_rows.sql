-- $1: tenant ids, $2: the moment. The rows of usage_list of these tenants, in any order.
select u.id as tenant, u.name as tenant_name, u.monthly_quota, u.thresholds, u.period_start, u.period_end,
       u.total_tokens, u.event_count, u.cost, u.unpriced_events, u.reserved_tokens, u.tokens_per_minute,
       u.tokens_last_day
from tenants
cross join lateral usage_at(tenants, $2::timestamptz) as u
where tenants.id = any ($1::uuid[])
