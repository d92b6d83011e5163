select id, name, monthly_quota, monthly_hard, billing_day, timezone, thresholds, fail_mode, created_at
from update_tenant($1::uuid, $2::text, $3::bigint, $4::boolean, $5::int, $6::text, $7::int[], $8::text)
