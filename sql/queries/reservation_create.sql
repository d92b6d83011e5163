-- Parallel arrays, $1: tenant ids, $2: ids, $3: features, $4: tokens, $5: when, $6: seconds until they lapse. $7: whether what has
-- expired is given back first.
select * from reserve_tokens($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::timestamptz[], $6::int[], $7::boolean)
