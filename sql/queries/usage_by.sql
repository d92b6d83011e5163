-- $1: tenant id, $2: the moment, $3: split, $4: tokens and $5: value to start after, null: from the first, $6: how many
-- at most. What the values of a split have used in the period of that moment, the largest first. The largest by
-- magnitude are found by the index, whose condition is said too, so that only values of the same magnitude are sorted.
select s.value, s.total_tokens, s.event_count,
       pools_json(
         s.input_tokens, s.cache_read_tokens, s.cache_write_tokens, s.output_tokens, s.reasoning_tokens
       ) as pools,
       dollars(s.cost_nanos) as cost, s.event_count - s.priced_events as unpriced_events
from tenants t
cross join lateral billing_period($2::timestamptz, t.billing_day, t.timezone) as p
join usage_splits s on s.tenant_id = t.id and s.period_start = p.period_start and s.split = $3::text
where t.id = $1::uuid and s.magnitude >= 0
  and ($4::bigint is null or (
    s.magnitude <= (ln($4::bigint + 1) * 4)::smallint
    and (s.total_tokens < $4::bigint or (s.total_tokens = $4::bigint and s.value > $5::text))
  ))
order by s.magnitude desc, s.total_tokens desc, s.value
limit $6::int
