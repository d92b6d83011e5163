-- $1: tenant id, $2: feature or null, $3: model or null, $4: metric, $5: per user or not, $6: period, $7: limit, $8:
-- hard or null, $9: thresholds or null.
select create_quota(
  $1::uuid, $2::text, $3::text, $4::text, $5::boolean, $6::text, $7::bigint, $8::boolean, $9::int[]
) as id
