-- $1: name to start after, $2: how many at most.
select id, name, monthly_quota, monthly_hard, billing_day, timezone, thresholds, fail_mode, created_at
from tenants where name > $1::text order by name limit $2::int
