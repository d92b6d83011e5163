-- Adds what record_events has just recorded to rebuilds that have taken those minutes already; later ones they will
-- take themselves. The caller holds the tenants' rows, so no step runs meanwhile.
create or replace function rebuild_follow(
  p_tenants uuid[], p_features text[], p_minutes timestamptz[], p_tokens bigint[], p_events bigint[]
)
returns void
language sql
as $$
  with taken as (
    select job.tenant_id, r.feature, date_bin('15 minutes', r.minute, timestamptz 'epoch') as quarter,
           sum(r.tokens) as tokens, sum(r.events) as events
    from unnest(p_tenants, p_features, p_minutes, p_tokens, p_events)
      as r (tenant_id, feature, minute, tokens, events)
    join tenant_rebuilds job on job.tenant_id = r.tenant_id and r.minute < job.counted_until
    group by 1, 2, 3
  ),
  periods as (
    select job.tenant_id, job.id, q.quarter, p.period_start, p.period_end
    from (select distinct tenant_id, quarter from taken) as q
    join tenant_rebuilds job using (tenant_id)
    cross join lateral billing_period(q.quarter, job.billing_day, job.timezone) as p
  )
  insert into rebuilt_features as f
    (tenant_id, rebuild_id, period_start, period_end, feature, total_tokens, event_count)
  select p.tenant_id, p.id, p.period_start, p.period_end, t.feature, sum(t.tokens)::bigint, sum(t.events)::bigint
  from taken t join periods p using (tenant_id, quarter)
  group by 1, 2, 3, 4, 5
  order by 1, 2, 3, 5
  on conflict (tenant_id, rebuild_id, period_start, feature) do update
  set total_tokens = f.total_tokens + excluded.total_tokens,
      event_count = f.event_count + excluded.event_count
$$;
