-- $1: tenant names, $2: tenant ids, $3: the moment.
select * from tenant_usage($1::text[], $2::uuid[], $3::timestamptz)
