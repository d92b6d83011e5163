-- Those that no event was counted under yet.
create or replace function new_values(p_values split_value[])
returns split_value[]
language sql stable
as $$
  select array(
    select v from unnest(p_values) as v
    where not exists (
      select from usage_splits s
      where s.tenant_id = v.tenant_id and s.period_start = v.period_start and s.split = v.split and s.value = v.value
    )
  )
$$;
