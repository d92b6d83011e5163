-- The operator's own prices, the newest first. $1: ids or null, $2: a model or null: only what may be its price, $3:
-- the position to start before, or null, $4: how many at most.
select p.number as position, p.id, p.model, p.effective_from, p.rates, p.created_at
from prices p
where p.catalogue is null and p.deleted_at is null and ($1::uuid[] is null or p.id = any ($1::uuid[]))
  and ($2::text is null or p.model = $2::text
    or (right(p.model, 1) = '*' and starts_with($2::text, left(p.model, -1))))
  and ($3::bigint is null or p.number < $3::bigint)
order by p.number desc limit $4::int
