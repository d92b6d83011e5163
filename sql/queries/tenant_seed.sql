-- $1 to $7: as tenant_create, $8: URL of the example of a webhook, $9: its host, $10: additional quotas, in
-- JSON.
select tenant_id from seed_tenant(
  $1::text, $2::bigint, $3::boolean, $4::int, $5::text, $6::int[], $7::text, $8::text, $9::text, $10::text::jsonb
)
