-- $1: quota id, $2: user, $3: limit. A new limit is a new version: its alerts are armed again.
insert into quota_users as x (tenant_id, quota_id, user_id, token_limit)
select tenant_id, id, $2::text, $3::bigint from quotas where id = $1::uuid and per_user
on conflict (tenant_id, quota_id, user_id) do update
set token_limit = excluded.token_limit, version = x.version + (x.token_limit <> excluded.token_limit)::int
returning user_id
