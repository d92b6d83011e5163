-- Creates a tenant, or does nothing when the name is taken: then no row comes back. Null means the column's default.
-- Raises 22023 (invalid_parameter_value) for an unknown time zone.
create or replace function create_tenant(
  p_name text, p_monthly_quota bigint, p_monthly_hard boolean, p_billing_day int, p_timezone text, p_thresholds int[],
  p_fail_mode text
)
returns setof tenants
language plpgsql
as $$
begin
  perform check_timezone(p_timezone);
  return query
  insert into tenants (name, monthly_quota, monthly_hard, billing_day, timezone, thresholds, fail_mode)
  values (
    p_name, coalesce(p_monthly_quota, 1000000), coalesce(p_monthly_hard, true), coalesce(p_billing_day, 1),
    coalesce(p_timezone, 'UTC'), coalesce(p_thresholds, '{80,100}'), coalesce(p_fail_mode, 'default')
  )
  on conflict (name) do nothing
  returning *;
end
$$;
