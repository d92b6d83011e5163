-- $1: name or null, $2: id or null: one of them.
select * from tenant_settings where name = $1::text or id = $2::uuid
