-- What the counters must hold, from rollups: what `verify` compares with. Minutes are summed by quarter of an hour
-- first: every time zone's midnight falls on one, and the period is asked 15 times less.
create or replace view expected_usage as
select quarters.tenant_id, period_start, period_end, feature,
       sum(total_tokens)::bigint as total_tokens, sum(event_count)::bigint as event_count,
       sum(input_tokens)::bigint as input_tokens, sum(cache_read_tokens)::bigint as cache_read_tokens,
       sum(cache_write_tokens)::bigint as cache_write_tokens, sum(output_tokens)::bigint as output_tokens,
       sum(reasoning_tokens)::bigint as reasoning_tokens, sum(cost_nanos)::bigint as cost_nanos,
       sum(priced_events)::bigint as priced_events
from (
  select tenant_id, feature, date_bin('15 minutes', minute, timestamptz 'epoch') as quarter,
         sum(total_tokens) as total_tokens, sum(event_count) as event_count, sum(input_tokens) as input_tokens,
         sum(cache_read_tokens) as cache_read_tokens, sum(cache_write_tokens) as cache_write_tokens,
         sum(output_tokens) as output_tokens, sum(reasoning_tokens) as reasoning_tokens,
         sum(cost_nanos) as cost_nanos, sum(priced_events) as priced_events
  from rollups
  group by 1, 2, 3
) as quarters
join tenants on tenants.id = quarters.tenant_id
cross join lateral billing_period(quarter, billing_day, timezone)
group by 1, 2, 3, 4;
