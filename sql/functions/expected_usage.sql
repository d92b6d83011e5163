-- What the counters must hold, from rollups: what a rebuild writes and what `verify` compares with. Minutes are summed
-- by quarter of an hour first: every time zone's midnight falls on one, and the period is asked 15 times less.
create or replace view expected_usage as
select quarters.tenant_id, period_start, period_end, feature,
       sum(total_tokens)::bigint as total_tokens, sum(event_count)::bigint as event_count
from (
  select tenant_id, feature, date_bin('15 minutes', minute, timestamptz 'epoch') as quarter,
         sum(total_tokens) as total_tokens, sum(event_count) as event_count
  from rollups
  group by 1, 2, 3
) as quarters
join tenants on tenants.id = quarters.tenant_id
cross join lateral billing_period(quarter, billing_day, timezone)
group by 1, 2, 3, 4;
