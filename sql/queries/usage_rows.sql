-- $1: tenant ids, $2: the moment. The rows of usage_list of these tenants, in any order.
select u.*
from tenants
cross join lateral usage_at(tenants, $2::timestamptz) as u
where tenants.id = any ($1::uuid[])
