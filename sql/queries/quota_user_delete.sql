-- $1: quota id, $2: user.
delete from quota_users x using quotas q
where q.id = $1::uuid and x.tenant_id = q.tenant_id and x.quota_id = q.id and x.user_id = $2::text
returning x.user_id
