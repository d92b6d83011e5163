-- Parallel arrays, $1: tenant ids, $2: event ids, $3: features, $4: tokens. The places, from 1, of events whose id
-- belongs to one that was recorded with another feature or other tokens. (Not with another time: an event without one
-- gets that of each try.)
select g.position::int as position
from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[])
  with ordinality as g (tenant_id, id, feature, tokens, position)
join events e on e.tenant_id = g.tenant_id and e.id = g.id
where (e.feature, e.tokens) <> (g.feature, g.tokens)
