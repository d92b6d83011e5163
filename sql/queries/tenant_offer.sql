-- Whether these tenants, the examples, may be made: no other tenant is there, and no key was ever made, so nobody has
-- used this database. $1: their names. Of a start that was cut off some may be there.
select not exists (select from tenants where name <> all ($1::text[])) and not exists (select from api_keys) as is_new
