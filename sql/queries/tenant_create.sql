select id, name, monthly_quota, billing_day, timezone, created_at
from create_tenant($1::text, $2::bigint, $3::int, $4::text)
