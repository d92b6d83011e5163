-- The period of a quota that holds `moment`: half-open, in the tenant's time zone. Weeks start on Monday (ISO 8601).
-- Days and weeks start at the instant their local midnight stands for, as in billing_period.
-- An hour starts whenever the local clock shows a full hour. Where a zone moves by half an hour, one is longer that night.
create or replace function quota_period(moment timestamptz, period text, billing_day int, timezone text)
returns table (period_start timestamptz, period_end timestamptz)
language plpgsql stable parallel safe
as $$
declare
  day timestamp;
begin
  if period = 'month' then
    return query select * from billing_period(moment, billing_day, timezone);
  elsif period = 'hour' then
    period_start := moment - past_the_hour(moment, timezone);
    period_start := period_start - past_the_hour(period_start, timezone);
    period_end := period_start + interval '1 hour';
    if past_the_hour(period_end, timezone) > interval '0' then
      period_end := period_end + interval '1 hour' - past_the_hour(period_end, timezone);
    end if;
    return next;
  else
    day := date_trunc(period, moment at time zone timezone);
    return query
    select max(anchor) filter (where anchor <= moment), min(anchor) filter (where anchor > moment)
    from (
      select (day + step * ('1 ' || period)::interval) at time zone timezone as anchor from generate_series(-1, 2) as step
    ) as anchors;
  end if;
end
$$;
