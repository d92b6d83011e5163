-- $1: id. A key that is revoked stays revoked since its first time.
update api_keys set revoked_at = now() where id = $1::uuid and revoked_at is null returning id
