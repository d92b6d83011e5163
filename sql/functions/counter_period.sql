-- The period of a quota's counter at `moment`: as the counter says, if there is one; else computed, which costs ten times as much.
-- (The second part of a union runs only when the first has no row.)
create or replace function counter_period(
  tenant uuid, quota uuid, moment timestamptz, period text, billing_day int, timezone text
)
returns table (period_start timestamptz, period_end timestamptz)
language sql stable
as $$
  (
    select period_start, period_end from usage_periods
    where tenant_id = tenant and quota_id = quota and period_start <= moment and period_end > moment
    order by period_start desc limit 1
  )
  union all
  select * from quota_period(moment, period, billing_day, timezone)
  limit 1
$$;
