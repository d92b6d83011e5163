-- $1: name or null, $2: id or null: one of them.
select id, name, monthly_quota, monthly_hard, billing_day, timezone, thresholds, fail_mode, created_at,
       case when rebuild_percent is not null then
         json_build_object('billingDay', rebuild_billing_day, 'timezone', rebuild_timezone, 'percent', rebuild_percent)
       end as rebuild
from tenant_settings
where name = $1::text or id = $2::uuid
