select id, name, monthly_quota, billing_day, timezone, thresholds, created_at
from update_tenant($1::uuid, $2::text, $3::bigint, $4::int, $5::text, $6::int[])
