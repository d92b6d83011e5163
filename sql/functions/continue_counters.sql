-- Lets the counters of quotas by model or per user go on when a quota is new (`p_quota`), or the tenant's periods have
-- moved: what the open period has counted stays counted, and what is held is added up anew. They are complete again
-- from the next period on. The caller holds the tenant's row.
create or replace function continue_counters(p_tenant uuid, p_quota uuid)
returns void
language plpgsql
as $$
begin
  update quotas set complete_from = now()
  where tenant_id = p_tenant and (model is not null or per_user) and (p_quota is null or id = p_quota);
  if not found then
    return;
  end if;

  with own as (
    select * from tenant_quotas
    where tenant_id = p_tenant and (model is not null or per_user) and (p_quota is null or quota_id = p_quota)
  ),
  open as (
    delete from usage_periods u using own q
    where u.tenant_id = p_tenant and u.quota_id = q.quota_id and u.period_end > now()
    returning u.*, q.period, q.billing_day, q.timezone
  )
  insert into usage_periods as u (
    tenant_id, quota_id, period_start, period_end, user_id, total_tokens, event_count, cost_nanos, priced_events
  )
  select p_tenant, o.quota_id, p.period_start, p.period_end, o.user_id, sum(o.total_tokens)::bigint,
         sum(o.event_count)::bigint, sum(o.cost_nanos)::bigint, sum(o.priced_events)::bigint
  from open o
  cross join lateral quota_period(now(), o.period, o.billing_day, o.timezone) as p
  group by 1, 2, 3, 4, 5
  on conflict on constraint usage_periods_pkey do update
  set total_tokens = u.total_tokens + excluded.total_tokens,
      event_count = u.event_count + excluded.event_count,
      cost_nanos = u.cost_nanos + excluded.cost_nanos,
      priced_events = u.priced_events + excluded.priced_events;

  update usage_periods u set reserved_tokens = 0
  from tenant_quotas q
  where u.tenant_id = p_tenant and q.tenant_id = p_tenant and q.quota_id = u.quota_id
    and (q.model is not null or q.per_user) and (p_quota is null or q.quota_id = p_quota) and u.reserved_tokens <> 0;

  insert into usage_periods as u (
    tenant_id, quota_id, period_start, period_end, user_id, total_tokens, event_count, reserved_tokens
  )
  select p_tenant, e.quota_id, e.period_start, e.period_end, e.user_id, 0, 0, e.reserved_tokens
  from expected_holds(p_tenant) as e
  where p_quota is null or e.quota_id = p_quota
  on conflict on constraint usage_periods_pkey do update set reserved_tokens = excluded.reserved_tokens;
end
$$;
