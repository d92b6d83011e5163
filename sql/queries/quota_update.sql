-- $1: id, $2: limit or null, $3: hard or null, $4: thresholds or null.
select update_quota($1::uuid, $2::bigint, $3::boolean, $4::int[]) as id
