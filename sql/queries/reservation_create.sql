-- Parallel arrays, $1: tenant ids, $2: ids, $3: Idempotency-Keys or null, $4: features, $5: tokens, $6: when, $7: seconds until they
-- lapse. $8: whether what has expired is given back first.
select * from reserve_tokens($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::timestamptz[], $7::int[], $8::boolean)
