-- $1: name to start after, $2: how many at most, $3: the moment, $4: tenant id or null. The counter of every tenant, by name.
select t.id, t.name, t.monthly_quota, p.period_start, p.period_end,
       coalesce(u.total_tokens, 0) as total_tokens, coalesce(u.event_count, 0) as event_count
from (
  select * from tenants where name > $1::text and ($4::uuid is null or id = $4::uuid) order by name limit $2::int
) as t
cross join lateral billing_period($3::timestamptz, t.billing_day, t.timezone) as p
left join usage_periods u on u.tenant_id = t.id and u.quota_id = t.id and u.period_start = p.period_start
order by t.name
