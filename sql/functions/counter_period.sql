-- The period of a quota's counter at `p_moment`: as the counter says, if there is one; else computed, which costs ten
-- times as much. (The second part of a union runs only when the first has no row.) Of a quota per user it is always
-- computed: each user has a counter, and looking for one of the period may find them all of another.
create or replace function counter_period(
  p_tenant uuid, p_quota uuid, p_moment timestamptz, p_period text, p_billing_day int, p_timezone text,
  p_per_user boolean
)
returns table (period_start timestamptz, period_end timestamptz)
language sql stable
as $$
  (
    select period_start, period_end from usage_periods
    where not p_per_user and tenant_id = p_tenant and quota_id = p_quota and period_start <= p_moment
      and period_end > p_moment
    order by period_start desc limit 1
  )
  union all
  select * from quota_period(p_moment, p_period, p_billing_day, p_timezone)
  limit 1
$$;
