-- Creates a tenant, or does nothing when the name is taken: then no row comes back. Null means the column's default.
-- Raises 22023 (invalid_parameter_value) for an unknown time zone.
create or replace function create_tenant(
  new_name text, new_quota bigint, new_billing_day int, new_timezone text, new_thresholds int[] default null
)
returns setof tenants
language plpgsql
as $$
begin
  perform check_timezone(new_timezone);
  return query
  insert into tenants (name, monthly_quota, billing_day, timezone, thresholds)
  values (new_name, coalesce(new_quota, 1000000), coalesce(new_billing_day, 1), coalesce(new_timezone, 'UTC'),
          coalesce(new_thresholds, '{80,100}'))
  on conflict (name) do nothing
  returning *;
end
$$;
