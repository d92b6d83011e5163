-- Raises 22023 unless the name is an IANA time zone. PostgreSQL alone would also take POSIX strings such as 'FOO+3'.
create or replace function check_timezone(p_timezone text)
returns void
language plpgsql
as $$
begin
  if p_timezone is not null and not exists (select from pg_timezone_names where name = p_timezone) then
    raise invalid_parameter_value
      using message = format('timezone must be an IANA name such as Europe/Berlin, not ''%s''', p_timezone);
  end if;
end
$$;
