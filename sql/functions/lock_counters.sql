-- Locks the counters that these holds count towards, in the order of their keys, and returns them in that order. The
-- statement that locks also creates the missing ones, so nothing is locked twice.
create or replace function lock_counters(p_holds hold[])
returns setof quota_counter
language plpgsql
as $$
declare
  v_counters quota_counter[];
begin
  v_counters := array(
    select row(
             c.tenant_id, c.quota_id, c.feature, c.period, c.hard, c.token_limit, c.period_start, c.period_end, 0, 0
           )::quota_counter
    from (
      select distinct q.tenant_id, q.quota_id, q.feature, q.period, q.hard, q.token_limit, p.period_start, p.period_end
      from (select distinct tenant_id, feature, quarter from unnest(p_holds)) as h
      join tenant_quotas q on q.tenant_id = h.tenant_id
      cross join lateral
        counter_period(q.tenant_id, q.quota_id, h.quarter, q.period, q.billing_day, q.timezone) as p
      where (q.feature is null or q.feature = h.feature) and h.quarter >= q.counts_from
    ) as c
    order by c.tenant_id, c.quota_id, c.period_start
  );

  -- A conflict locks its row also where nothing is updated.
  insert into usage_periods as u (tenant_id, quota_id, period_start, period_end, total_tokens, event_count)
  select tenant_id, quota_id, period_start, period_end, 0, 0 from unnest(v_counters)
  on conflict (tenant_id, quota_id, period_start) do update set reserved_tokens = u.reserved_tokens where false;

  return query
  select c.tenant_id, c.quota_id, c.feature, c.period, c.hard, c.token_limit, c.period_start, c.period_end,
         u.total_tokens, u.reserved_tokens
  from unnest(v_counters) as c join usage_periods u using (tenant_id, quota_id, period_start)
  order by c.tenant_id, c.quota_id, c.period_start;
end
$$;
