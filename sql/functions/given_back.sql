-- What is added to the counters of quotas when these holds end.
create or replace function given_back(p_holds hold[])
returns setof quota_move
language sql immutable parallel safe
as $$
  select h.tenant_id, h.feature, h.model, h.user_id, h.quarter, 0::bigint, 0::bigint, 0::bigint, 0::bigint, -h.tokens,
         -1::bigint, -coalesce(h.cost_nanos, 0)
  from unnest(p_holds) as h
$$;
