-- $1: tenant id, $2: from, $3: to (half-open), $4: step (minute, hour or day), $5: time zone of the steps, $6: the
-- metric that ranks them (tokens, requests or cost). The ten largest features of the range, the largest first, and all
-- others together as null: one JSON text, as in usage_series.
with points as (
  select date_trunc($4::text, minute, $5::text) as start, feature as value, sum(total_tokens) as tokens,
         sum(event_count) as events, sum(cost_nanos) as cost,
         sum(event_count - priced_events) as unpriced
  from rollups
  where tenant_id = $1::uuid and minute >= $2::timestamptz and minute < $3::timestamptz
  group by 1, 2
),
ranked as (
  select value, sum(case $6::text when 'cost' then cost when 'requests' then events else tokens end) as amount
  from points group by 1
),
largest as (
  select value from ranked order by amount desc, value limit 10
),
steps as (
  select l.value, to_char(p.start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as start,
         sum(p.tokens)::bigint as "totalTokens", sum(p.events)::bigint as "eventCount",
         dollars(sum(p.cost)::bigint) as cost, sum(p.unpriced)::bigint as "unpricedEvents",
         sum(case $6::text when 'cost' then p.cost when 'requests' then p.events else p.tokens end) as amount
  from points p left join largest l using (value)
  group by 1, 2
)
select coalesce(
         json_agg(
           json_build_object('feature', value, 'points', points) order by value is null, amount desc, value
         ),
         '[]'
       )::text as values
from (
  select value, sum(amount) as amount,
         json_agg(
           (select p from (select start, "totalTokens", "eventCount", cost, "unpricedEvents") as p) order by start
         ) as points
  from steps group by value
) as f
