-- What the tenants of these names or ids have used at a moment: the counter, its split by feature, and every quota with
-- its counter; never a sum over events or rollups.
-- The plan is kept: PostgreSQL expects ten tenants in a list of unknown length, would plan each call anew for the one
-- that it has, and that takes longer than the answer.
create or replace function tenant_usage(p_names text[], p_ids uuid[], p_moment timestamptz)
returns table (
  id uuid, name text, monthly_quota bigint, period_start timestamptz, period_end timestamptz, total_tokens bigint,
  event_count bigint, pools json, cost text, unpriced_events bigint, features json, quotas json
)
language plpgsql stable
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  select t.id, t.name, t.monthly_quota, p.period_start, p.period_end,
         coalesce(u.total_tokens, 0), coalesce(u.event_count, 0),
         (
           select pools_json(
                    coalesce(sum(s.input_tokens), 0)::bigint, coalesce(sum(s.cache_read_tokens), 0)::bigint,
                    coalesce(sum(s.cache_write_tokens), 0)::bigint, coalesce(sum(s.output_tokens), 0)::bigint,
                    coalesce(sum(s.reasoning_tokens), 0)::bigint
                  )
           from usage_features s
           where s.tenant_id = t.id and s.period_start = p.period_start
         ),
         dollars(coalesce(u.cost_nanos, 0)), coalesce(u.event_count - u.priced_events, 0),
         coalesce((
           select json_agg(
                    json_build_object(
                      'feature', f.feature, 'totalTokens', f.total_tokens, 'eventCount', f.event_count
                    )
                    order by f.total_tokens desc, f.feature
                  )
           from (
             select * from usage_features s
             where s.tenant_id = t.id and s.period_start = p.period_start
             order by s.total_tokens desc, s.feature
             limit 1000
           ) as f
         ), '[]'),
         (select json_agg(q) from quotas_at(t.id, p_moment) as q)
  from tenants t
  cross join lateral billing_period(p_moment, t.billing_day, t.timezone) as p
  left join usage_periods u on u.tenant_id = t.id and u.quota_id = t.id and u.period_start = p.period_start
  where t.name = any (p_names) or t.id = any (p_ids);
end
$$;
