-- $1: name to start after, $2: how many at most.
select * from tenant_settings where name > $1::text order by name limit $2::int
