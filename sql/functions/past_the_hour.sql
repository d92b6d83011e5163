-- How long ago the local clock showed a full hour, unless it was moved since.
create or replace function past_the_hour(moment timestamptz, timezone text)
returns interval
language sql stable parallel safe
as $$
  select (moment at time zone timezone) - date_trunc('hour', moment at time zone timezone)
$$;
