-- $1: tenant ids, $2: the moment. Their quotas with their counters.
select t.id as tenant_id, q.* from unnest($1::uuid[]) as t (id) cross join lateral quotas_at(t.id, $2::timestamptz) as q
