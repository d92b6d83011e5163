-- Adds to every counter that is concerned: those of the tenant's quotas that count the feature, at that quarter of an
-- hour (where every period of every zone begins), the split by feature, and the hour. Moves are of split 'feature';
-- `moment` is the quarter. `reserved_tokens` may be negative: a hold that is given back. Returns the counters of quotas
-- that moved, with what was added.
-- Locks are taken in one global order: usage_hours, usage_features, usage_periods, each by key.
create or replace function move_counters(p_moves usage_move[])
returns table (
  tenant_id uuid, quota_id uuid, feature text, period text, token_limit bigint, hard boolean, thresholds int[],
  version int, period_start timestamptz, period_end timestamptz, added_tokens bigint, added_events bigint,
  total_tokens bigint, reserved_tokens bigint
)
language plpgsql
as $$
begin
  insert into usage_hours as h (tenant_id, hour, total_tokens, event_count, cost_nanos, priced_events)
  select m.tenant_id, date_bin('1 hour', m.moment, timestamptz 'epoch'), sum(m.total_tokens)::bigint,
         sum(m.event_count)::bigint, sum(m.cost_nanos)::bigint, sum(m.priced_events)::bigint
  from unnest(p_moves) as m
  where m.event_count > 0
  group by 1, 2
  order by 1, 2
  on conflict on constraint usage_hours_pkey do update
  set total_tokens = h.total_tokens + excluded.total_tokens,
      event_count = h.event_count + excluded.event_count,
      cost_nanos = h.cost_nanos + excluded.cost_nanos,
      priced_events = h.priced_events + excluded.priced_events;

  insert into usage_features as f (
    tenant_id, period_start, feature, total_tokens, event_count, input_tokens, cache_read_tokens, cache_write_tokens,
    output_tokens, reasoning_tokens, cost_nanos, priced_events
  )
  select m.tenant_id, p.period_start, m.value, sum(m.total_tokens)::bigint, sum(m.event_count)::bigint,
         sum(m.input_tokens)::bigint, sum(m.cache_read_tokens)::bigint, sum(m.cache_write_tokens)::bigint,
         sum(m.output_tokens)::bigint, sum(m.reasoning_tokens)::bigint, sum(m.cost_nanos)::bigint,
         sum(m.priced_events)::bigint
  from unnest(p_moves) as m
  join billing_periods(
    array(select m.tenant_id from unnest(p_moves) as m), array(select m.moment from unnest(p_moves) as m)
  ) as p using (tenant_id, moment)
  where m.event_count > 0
  group by 1, 2, 3
  order by 1, 2, 3
  on conflict on constraint usage_features_pkey do update
  set total_tokens = f.total_tokens + excluded.total_tokens,
      event_count = f.event_count + excluded.event_count,
      input_tokens = f.input_tokens + excluded.input_tokens,
      cache_read_tokens = f.cache_read_tokens + excluded.cache_read_tokens,
      cache_write_tokens = f.cache_write_tokens + excluded.cache_write_tokens,
      output_tokens = f.output_tokens + excluded.output_tokens,
      reasoning_tokens = f.reasoning_tokens + excluded.reasoning_tokens,
      cost_nanos = f.cost_nanos + excluded.cost_nanos,
      priced_events = f.priced_events + excluded.priced_events;

  return query
  with given as (
    select m.tenant_id, m.value as feature, m.moment as quarter, sum(m.total_tokens) as tokens,
           sum(m.event_count) as events, sum(m.cost_nanos) as cost, sum(m.priced_events) as priced,
           sum(m.reserved_tokens) as reserved
    from unnest(p_moves) as m
    group by 1, 2, 3
  ),
  concerned as (
    select q.tenant_id, q.quota_id, g.quarter, q.period, q.billing_day, q.timezone,
           sum(g.tokens) as tokens, sum(g.events) as events, sum(g.cost) as cost, sum(g.priced) as priced,
           sum(g.reserved) as reserved
    from given g join tenant_quotas q on q.tenant_id = g.tenant_id
    where (q.feature is null or q.feature = g.feature) and g.quarter >= q.counts_from
    group by 1, 2, 3, 4, 5, 6
  ),
  delta as (
    select c.tenant_id, c.quota_id, p.period_start, p.period_end,
           sum(c.tokens)::bigint as tokens, sum(c.events)::bigint as events, sum(c.reserved)::bigint as reserved,
           sum(c.cost)::bigint as cost, sum(c.priced)::bigint as priced
    from concerned c
    cross join lateral counter_period(c.tenant_id, c.quota_id, c.quarter, c.period, c.billing_day, c.timezone) as p
    group by 1, 2, 3, 4
    order by 1, 2, 3
  ),
  moved as (
    insert into usage_periods as u (
      tenant_id, quota_id, period_start, period_end, total_tokens, event_count, reserved_tokens, cost_nanos,
      priced_events
    )
    select d.* from delta d
    on conflict on constraint usage_periods_pkey do update
    set total_tokens = u.total_tokens + excluded.total_tokens,
        event_count = u.event_count + excluded.event_count,
        reserved_tokens = u.reserved_tokens + excluded.reserved_tokens,
        cost_nanos = u.cost_nanos + excluded.cost_nanos,
        priced_events = u.priced_events + excluded.priced_events
    returning u.tenant_id, u.quota_id, u.period_start, u.period_end, u.total_tokens, u.reserved_tokens
  )
  select m.tenant_id, m.quota_id, q.feature, q.period, q.token_limit, q.hard, q.thresholds, q.version,
         m.period_start, m.period_end, d.tokens, d.events, m.total_tokens, m.reserved_tokens
  from moved m
  join delta d using (tenant_id, quota_id, period_start)
  join tenant_quotas q using (tenant_id, quota_id);
end
$$;
