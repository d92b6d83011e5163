-- Parallel arrays, $1: tenant ids, $2: event ids, $3: features, $4: tokens, $5: models, $6: users. The places, from 1,
-- of events whose id belongs to one that was recorded with another of them. (Not with another time: an event without
-- one gets that of each try.)
select g.position::int as position
from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::text[], $6::text[])
  with ordinality as g (tenant_id, id, feature, tokens, model, user_id, position)
join events e on e.tenant_id = g.tenant_id and e.id = g.id
where (e.feature, e.tokens, e.model, e.user_id) is distinct from (g.feature, g.tokens, g.model, g.user_id)
