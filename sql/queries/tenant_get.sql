-- $1: name, $2: id (null unless $1 is one).
select * from tenant_settings where name = $1::text or id = $2::uuid
