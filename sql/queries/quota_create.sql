-- $1: tenant id, $2: feature or null, $3: period, $4: limit, $5: hard or null, $6: thresholds or null.
select create_quota($1::uuid, $2::text, $3::text, $4::bigint, $5::boolean, $6::int[]) as id
