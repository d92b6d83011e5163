-- $1: tenant id, $2: from, $3: to (half-open), $4: step (minute, hour or day), $5: time zone of the steps. The ten
-- largest features of the range, the largest first, and all others together as null: one JSON text, as in usage_series.
with points as (
  select date_trunc($4::text, minute, $5::text) as start, feature,
         sum(total_tokens) as tokens, sum(event_count) as events
  from rollups
  where tenant_id = $1::uuid and minute >= $2::timestamptz and minute < $3::timestamptz
  group by 1, 2
),
largest as (
  select feature from points group by 1 order by sum(tokens) desc, feature limit 10
),
steps as (
  select case when l.feature is not null then p.feature end as feature,
         to_char(p.start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as start,
         sum(p.tokens)::bigint as "totalTokens", sum(p.events)::bigint as "eventCount"
  from points p left join largest l using (feature)
  group by 1, 2
)
select coalesce(
         json_agg(
           json_build_object('feature', feature, 'points', points) order by feature is null, tokens desc, feature
         ),
         '[]'
       )::text as features
from (
  select feature, sum("totalTokens") as tokens,
         json_agg((select p from (select start, "totalTokens", "eventCount") as p) order by start) as points
  from steps group by feature
) as f
