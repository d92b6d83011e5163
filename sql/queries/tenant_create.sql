select id, name, monthly_quota, billing_day, timezone, thresholds, created_at
from create_tenant($1::text, $2::bigint, $3::int, $4::text, $5::int[])
