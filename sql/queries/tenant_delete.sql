-- $1: tenant id.
select delete_tenant($1::uuid) as deleted
