-- $1: tenant id, $2: from, $3: to (half-open), $4: step (minute, hour or day), $5: time zone of the steps. The tokens
-- of each pool, of events that said their usage: one JSON text, as in usage_series_splits. Requests and cost have no
-- pools.
select coalesce(json_agg(json_build_object('value', pool, 'points', points) order by place), '[]')::text as values
from (
  select v.place, v.pool,
         json_agg(
           json_build_object(
             'start', to_char(s.start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), 'totalTokens', v.tokens,
             'eventCount', 0, 'cost', '0', 'unpricedEvents', 0
           )
           order by s.start
         ) as points
  from (
    select date_trunc($4::text, minute, $5::text) as start, sum(input_tokens)::bigint as input,
           sum(cache_read_tokens)::bigint as cache_read, sum(cache_write_tokens)::bigint as cache_write,
           sum(output_tokens)::bigint as output, sum(reasoning_tokens)::bigint as reasoning
    from rollups
    where tenant_id = $1::uuid and minute >= $2::timestamptz and minute < $3::timestamptz
    group by 1
  ) as s
  cross join lateral (
    values (1, 'input', s.input), (2, 'cacheRead', s.cache_read), (3, 'cacheWrite', s.cache_write),
           (4, 'output', s.output), (5, 'reasoning', s.reasoning)
  ) as v (place, pool, tokens)
  where v.tokens > 0
  group by 1, 2
) as p
