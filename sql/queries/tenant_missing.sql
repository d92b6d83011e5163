-- $1: ids. Those of tenants that do not exist.
select given.id
from unnest($1::uuid[]) as given (id)
where not exists (select from tenants where tenants.id = given.id)
