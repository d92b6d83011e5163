-- $1: tenant id.
select rebuild_step($1::uuid) as more
