select * from record_events(
  $1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::timestamptz[], $6::timestamptz[], $7::text[]::boolean[],
  $8::text::jsonb
)
