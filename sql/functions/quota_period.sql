-- The period of a quota that holds `p_moment`: half-open, in the tenant's time zone. Weeks start on Monday (ISO 8601).
-- Days and weeks start at the instant their local midnight stands for, as in billing_period. An hour starts whenever
-- the local clock shows a full hour. Where a zone moves by half an hour, one is longer that night.
create or replace function quota_period(p_moment timestamptz, p_period text, p_billing_day int, p_timezone text)
returns table (period_start timestamptz, period_end timestamptz)
language plpgsql stable parallel safe
as $$
declare
  v_local timestamp;
begin
  if p_period = 'month' then
    return query select * from billing_period(p_moment, p_billing_day, p_timezone);
  elsif p_period = 'hour' then
    period_start := p_moment - past_the_hour(p_moment, p_timezone);
    period_start := period_start - past_the_hour(period_start, p_timezone);
    period_end := period_start + interval '1 hour';
    if past_the_hour(period_end, p_timezone) > interval '0' then
      period_end := period_end + interval '1 hour' - past_the_hour(period_end, p_timezone);
    end if;
    return next;
  else
    v_local := date_trunc(p_period, p_moment at time zone p_timezone);
    return query
    select max(anchor) filter (where anchor <= p_moment), min(anchor) filter (where anchor > p_moment)
    from (
      select (v_local + step * ('1 ' || p_period)::interval) at time zone p_timezone as anchor
      from generate_series(-1, 2) as step
    ) as anchors;
  end if;
end
$$;
