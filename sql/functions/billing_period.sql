-- The billing period that holds `p_moment`: half-open, from p_billing_day 00:00 in the tenant's time zone.
-- Days 29 to 31 clamp to the end of a shorter month, always from the anchor day, never from the period before.
-- Starts are compared as instants, not as local times: a night of daylight saving may repeat or skip a midnight.
-- Three candidates suffice: the anchor of the local month, of the one before and of the one after.
create or replace function billing_period(p_moment timestamptz, p_billing_day int, p_timezone text)
returns table (period_start timestamptz, period_end timestamptz)
language sql stable parallel safe
as $$
  with months as (
    select date_trunc('month', p_moment at time zone p_timezone) + step * interval '1 month' as month
    from generate_series(-1, 2) as step
  ),
  anchors as (
    select (
             month + (least(p_billing_day, extract(day from month + interval '1 month - 1 day')::int) - 1)
             * interval '1 day'
           ) at time zone p_timezone as anchor
    from months
  )
  select max(anchor) filter (where anchor <= p_moment), min(anchor) filter (where anchor > p_moment) from anchors
$$;
