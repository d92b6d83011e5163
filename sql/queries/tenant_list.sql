-- $1: name to start after, $2: how many at most.
select id, name, monthly_quota, billing_day, timezone, thresholds, created_at
from tenants where name > $1::text order by name limit $2::int
