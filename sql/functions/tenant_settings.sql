-- Tenants as they are shown: with the billing day and time zone that are on their way, and how far (in percent of the
-- time covered).
create or replace view tenant_settings as
select t.id, t.name, t.monthly_quota, t.monthly_hard, t.billing_day, t.timezone, t.thresholds, t.fail_mode,
       t.created_at, r.billing_day as rebuild_billing_day, r.timezone as rebuild_timezone,
       case when r.tenant_id is not null then
         least(99, greatest(0, floor(
           100 * extract(epoch from r.counted_until - r.first_minute)
           / greatest(60, extract(epoch from now() - r.first_minute))
         )))::int
       end as rebuild_percent
from tenants t left join tenant_rebuilds r on r.tenant_id = t.id;
