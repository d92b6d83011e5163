-- As usage_by, for features: $1: tenant id, $2: the moment, $3: tokens and $4: feature to start after, null: from the
-- first, $5: how many at most. A tenant has some thousand features at most.
select s.feature as value, s.total_tokens, s.event_count,
       pools_json(
         s.input_tokens, s.cache_read_tokens, s.cache_write_tokens, s.output_tokens, s.reasoning_tokens
       ) as pools,
       dollars(s.cost_nanos) as cost, s.event_count - s.priced_events as unpriced_events
from tenants t
cross join lateral billing_period($2::timestamptz, t.billing_day, t.timezone) as p
join usage_features s on s.tenant_id = t.id and s.period_start = p.period_start
where t.id = $1::uuid
  and ($3::bigint is null or s.total_tokens < $3::bigint or (s.total_tokens = $3::bigint and s.feature > $4::text))
order by s.total_tokens desc, s.feature
limit $5::int
