-- $1: tenant name, $2: tenant id (null unless $1 is one), $3: the moment.
-- The counter, its split by feature, and every quota with its counter; never a sum over events or rollups.
select t.id, t.name, t.monthly_quota, p.period_start, p.period_end,
       coalesce(u.total_tokens, 0) as total_tokens, coalesce(u.event_count, 0) as event_count,
       coalesce((
         select json_agg(json_build_object('feature', f.feature, 'totalTokens', f.total_tokens, 'eventCount', f.event_count)
                         order by f.total_tokens desc, f.feature)
         from (
           select * from usage_features f
           where f.tenant_id = t.id and f.period_start = p.period_start
           order by f.total_tokens desc, f.feature
           limit 1000
         ) as f
       ), '[]') as features,
       (select json_agg(q) from quotas_at(t.id, $3::timestamptz) as q) as quotas
from tenants t
cross join lateral billing_period($3::timestamptz, t.billing_day, t.timezone) as p
left join usage_periods u on u.tenant_id = t.id and u.quota_id = t.id and u.period_start = p.period_start
where t.name = $1::text or t.id = $2::uuid
