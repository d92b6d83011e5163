-- $1: tenant id, $2: feature or null for all, $3: from, $4: to (half-open), $5: step (minute, hour or day), $6: time
-- zone of the steps. One JSON text, as it is answered: building ten thousand objects and serializing them again would
-- occupy the server's only thread for 100 ms.
select coalesce(json_agg(p order by p.start), '[]')::text as points
from (
  select to_char(start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as start,
         total_tokens as "totalTokens", event_count as "eventCount", dollars(cost_nanos) as cost,
         unpriced_events as "unpricedEvents"
  from (
    select date_trunc($5::text, minute, $6::text) as start, sum(total_tokens)::bigint as total_tokens,
           sum(event_count)::bigint as event_count, sum(cost_nanos)::bigint as cost_nanos,
           sum(event_count - priced_events)::bigint as unpriced_events
    from rollups
    where tenant_id = $1::uuid and ($2::text is null or feature = $2::text)
      and minute >= $3::timestamptz and minute < $4::timestamptz
    group by 1
  ) as s
) as p
