-- $1: name or null, $2: id or null: one of them.
select id, name, monthly_quota, monthly_hard, billing_day, timezone, thresholds, fail_mode, created_at
from tenants where name = $1::text or id = $2::uuid
