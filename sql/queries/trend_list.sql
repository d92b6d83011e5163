-- $1: tenant names, $2: tenant ids, $3: the moment, $4: tenant id or null. Tokens per step of the open period so far:
-- at most 128 steps of whole hours, the first one beginning with the hour in which the period begins.
select t.id as tenant, f.first_hour as "from", f.step_seconds,
       (
         select coalesce(json_agg(coalesce(s.tokens, 0) order by n), '[]')
         from generate_series(
           0, ceil(extract(epoch from $3::timestamptz - f.first_hour) / f.step_seconds)::int - 1
         ) as n
         left join (
           select floor(extract(epoch from h.hour - f.first_hour) / f.step_seconds)::int as n,
                  sum(h.total_tokens)::bigint as tokens
           from usage_hours h
           where h.tenant_id = t.id and h.hour >= f.first_hour and h.hour <= $3::timestamptz
           group by 1
         ) as s using (n)
       ) as total_tokens
from tenants t
cross join lateral billing_period($3::timestamptz, t.billing_day, t.timezone) as p
cross join lateral (
  select first_hour,
         3600 * greatest(1, ceil(extract(epoch from $3::timestamptz - first_hour) / 3600 / 128))::int as step_seconds
  from (select date_bin('1 hour', p.period_start, timestamptz 'epoch') as first_hour) as h
) as f
where (t.name = any ($1::text[]) or t.id = any ($2::uuid[])) and ($4::uuid is null or t.id = $4::uuid)
order by t.name
