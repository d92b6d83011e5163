-- $1: tenant names, $2: tenant ids, $3: the moment.
select id as tenant, name as tenant_name, monthly_quota, period_start, period_end, total_tokens, event_count,
       pools, cost, unpriced_events, features, quotas
from tenant_usage($1::text[], $2::uuid[], $3::timestamptz)
