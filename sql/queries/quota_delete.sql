-- $1: id.
select delete_quota($1::uuid) as id
