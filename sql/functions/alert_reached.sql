-- Raises the alerts for thresholds newly crossed by a change of quotas: those reached now and not among `p_told`. (Of
-- quotas per user, record_events raises them with the user's next event.)
create or replace function alert_reached(p_tenant uuid, p_told text[])
returns void
language sql
as $$
  select raise_alert(
    p_tenant, r.quota_id, '', r.feature, r.model, r.metric, r.period, r.period_start, r.period_end, r.threshold,
    r.version, r.token_limit, r.used
  )
  from reached_thresholds(p_tenant) as r
  where (r.quota_id || ' ' || r.threshold) <> all (p_told)
$$;
