select id, name, monthly_quota, monthly_hard, billing_day, timezone, thresholds, fail_mode, created_at
from create_tenant($1::text, $2::bigint, $3::boolean, $4::int, $5::text, $6::int[], $7::text)
