-- How long ago the local clock showed a full hour, unless it was moved since.
create or replace function past_the_hour(p_moment timestamptz, p_timezone text)
returns interval
language sql stable parallel safe
as $$
  select (p_moment at time zone p_timezone) - date_trunc('hour', p_moment at time zone p_timezone)
$$;
