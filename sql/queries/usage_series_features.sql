-- $1: tenant id, $2: from, $3: to (half-open), $4: step (minute, hour or day), $5: time zone of the steps.
-- The ten largest features of the range, and all others together as null.
with points as (
  select date_trunc($4::text, minute, $5::text) as start, feature, sum(total_tokens) as tokens, sum(event_count) as events
  from rollups
  where tenant_id = $1::uuid and minute >= $2::timestamptz and minute < $3::timestamptz
  group by 1, 2
),
largest as (
  select feature from points group by 1 order by sum(tokens) desc, feature limit 10
)
select case when l.feature is not null then p.feature end as feature, p.start,
       sum(p.tokens)::bigint as total_tokens, sum(p.events)::bigint as event_count
from points p left join largest l using (feature)
group by 1, 2
order by 2
