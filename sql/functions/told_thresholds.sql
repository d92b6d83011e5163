-- What a change of quotas notes before it: the thresholds reached by then, of which everybody has been told.
create or replace function told_thresholds(p_tenant uuid)
returns text[]
language sql stable
as $$
  select array(select quota_id || ' ' || threshold from reached_thresholds(p_tenant))
$$;
