-- $1: SHA-256 of the key, in hex, $2: hint, $3: name, $4: scopes, $5: tenant id or null, $6: expiry or null, $7: the
-- only user or null.
insert into api_keys (hash, hint, name, scopes, tenant_id, expires_at, user_id)
values (decode($1::text, 'hex'), $2::text, $3::text, $4::text[], $5::uuid, $6::timestamptz, $7::text)
returning id
