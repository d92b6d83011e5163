-- Creates a tenant, or does nothing when the name is taken: then no row comes back. Null means the column's default.
-- Raises 22023 (invalid_parameter_value) for an unknown time zone.
create or replace function create_tenant(
  new_name text, new_quota bigint, new_hard boolean, new_billing_day int, new_timezone text, new_thresholds int[], new_fail_mode text
)
returns setof tenants
language plpgsql
as $$
begin
  perform check_timezone(new_timezone);
  return query
  insert into tenants (name, monthly_quota, monthly_hard, billing_day, timezone, thresholds, fail_mode)
  values (new_name, coalesce(new_quota, 1000000), coalesce(new_hard, true), coalesce(new_billing_day, 1),
          coalesce(new_timezone, 'UTC'), coalesce(new_thresholds, '{80,100}'), coalesce(new_fail_mode, 'default'))
  on conflict (name) do nothing
  returning *;
end
$$;
