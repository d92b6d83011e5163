-- The thresholds that a tenant has reached in the open periods of its quotas, but for those per user.
create or replace function reached_thresholds(p_tenant uuid)
returns table (
  quota_id uuid, feature text, model text, metric text, period text, period_start timestamptz, period_end timestamptz,
  threshold int, version int, token_limit bigint, used bigint
)
language sql stable
as $$
  select q.quota_id, q.feature, q.model, q.metric, q.period, q.period_start, q.period_end, threshold, q.version,
         q.token_limit, q.total_tokens
  from quotas_at(p_tenant, now()) as q, unnest(q.thresholds) as threshold
  where threshold_reached(q.total_tokens, q.token_limit, threshold)
  order by q.quota_id, threshold
$$;
