-- Parallel arrays, $1: tenant ids, $2: users, null where none is asked for; $3: the moment. The quotas of each with
-- their counters, with its place, from 1.
select w.place::int as place, q.*
from unnest($1::uuid[], $2::text[]) with ordinality as w (tenant_id, user_id, place)
cross join lateral quotas_at(w.tenant_id, $3::timestamptz, w.user_id) as q
