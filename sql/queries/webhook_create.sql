-- $1: tenant id, $2: kind, $3: URL, $4: its host, $5: secret or null, $6: enabled, $7: how many a tenant may have.
select create_webhook($1::uuid, $2::text, $3::text, $4::text, $5::text, $6::boolean, $7::int) as id
