-- $1: tenant id, $2: user.
select forget_user($1::uuid, $2::text)
