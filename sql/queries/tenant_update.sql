-- $1: tenant id, $2 to $8: as tenant_create. One row when there is such a tenant.
select id from update_tenant($1::uuid, $2::text, $3::bigint, $4::boolean, $5::int, $6::text, $7::int[], $8::text)
