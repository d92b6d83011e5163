-- Inserts the events of a batch that are new, with what they say beyond their feature and tokens (event_details). The
-- arrays run in parallel; `p_counted`: as which feature each counts. Returns what they add by feature and minute, and
-- by other split and quarter of an hour, each sorted by key; what they add to quotas, by model and user only where a
-- tenant has a quota that counts those; and whose events count in a remainder,
-- and whose model has no price, once per event.
create or replace function insert_detailed_events(
  p_tenants uuid[], p_ids uuid[], p_features text[], p_tokens bigint[], p_created_ats timestamptz[],
  p_received_ats timestamptz[], p_counted text[], p_details event_detail[],
  out rollups usage_move[], out splits usage_move[], out quotas quota_move[], out remainders uuid[],
  out unpriced uuid[]
)
language plpgsql
as $$
#variable_conflict use_column
declare
  v_is_fine boolean := exists (
    select from quotas q where q.tenant_id = any (p_tenants) and (q.model is not null or q.per_user)
  );
begin
  with inserted as (
    insert into events as n (
      tenant_id, id, feature, tokens, created_at, received_at, counted_as, model, user_id, input_tokens,
      cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, price_number,
      cost_nanos, dimensions, remainders
    )
    select e.tenant_id, e.id, e.feature, e.tokens, e.created_at, e.received_at, nullif(e.counted_as, e.feature),
           d.model, d.user_id, d.input_tokens, d.cache_read_tokens, d.cache_write_tokens, d.cache_write_1h_tokens,
           d.output_tokens, d.reasoning_tokens, d.price_number, d.cost_nanos, d.dimensions, d.remainders
    from unnest(p_tenants, p_ids, p_features, p_tokens, p_created_ats, p_received_ats, p_counted)
      with ordinality as e (tenant_id, id, feature, tokens, created_at, received_at, counted_as, place)
    left join unnest(p_details) as d on d.place = e.place
    order by e.tenant_id, e.id, e.place
    on conflict do nothing
    returning n.*
  ),
  rolled as (
    select i.tenant_id, coalesce(i.counted_as, i.feature) as feature,
           date_bin('1 minute', i.created_at, timestamptz 'epoch') as minute,
           sum(i.tokens)::bigint as tokens, count(*) as events,
           coalesce(sum(i.input_tokens), 0) as input, coalesce(sum(i.cache_read_tokens), 0) as cache_read,
           coalesce(sum(i.cache_write_tokens), 0) as cache_write, coalesce(sum(i.output_tokens), 0) as output,
           coalesce(sum(i.reasoning_tokens), 0) as reasoning, coalesce(sum(i.cost_nanos), 0)::bigint as cost,
           count(i.cost_nanos) as priced
    from inserted i
    group by 1, 2, 3
    order by 1, 2, 3
  ),
  split as (
    select i.tenant_id, s.split, case when s.split = any (i.remainders) then '(other)' else s.value end as value,
           date_bin('15 minutes', i.created_at, timestamptz 'epoch') as quarter,
           sum(i.tokens)::bigint as tokens, count(*) as events,
           coalesce(sum(i.input_tokens), 0) as input, coalesce(sum(i.cache_read_tokens), 0) as cache_read,
           coalesce(sum(i.cache_write_tokens), 0) as cache_write, coalesce(sum(i.output_tokens), 0) as output,
           coalesce(sum(i.reasoning_tokens), 0) as reasoning, coalesce(sum(i.cost_nanos), 0)::bigint as cost,
           count(i.cost_nanos) as priced
    from inserted i cross join lateral split_values(i.model, i.user_id, i.dimensions) as s
    group by 1, 2, 3, 4
    order by 1, 2, 3, 4
  ),
  counted as (
    select i.tenant_id, coalesce(i.counted_as, i.feature) as feature, case when v_is_fine then i.model end as model,
           case when v_is_fine then i.user_id end as user_id,
           date_bin('15 minutes', i.created_at, timestamptz 'epoch') as quarter, sum(i.tokens)::bigint as tokens,
           count(*) as events, coalesce(sum(i.cost_nanos), 0)::bigint as cost, count(i.cost_nanos) as priced
    from inserted i
    group by 1, 2, 3, 4, 5
  )
  select
    (
      select array_agg(row(
        r.tenant_id, 'feature', r.feature, r.minute, r.tokens, r.events, r.input, r.cache_read, r.cache_write, r.output,
        r.reasoning, r.cost, r.priced
      )::usage_move)
      from rolled r
    ),
    (
      select array_agg(row(
        s.tenant_id, s.split, s.value, s.quarter, s.tokens, s.events, s.input, s.cache_read, s.cache_write, s.output,
        s.reasoning, s.cost, s.priced
      )::usage_move)
      from split s
    ),
    (
      select array_agg(row(
        c.tenant_id, c.feature, c.model, c.user_id, c.quarter, c.tokens, c.events, c.cost, c.priced, 0, 0, 0
      )::quota_move)
      from counted c
    ),
    (select array_agg(i.tenant_id) from inserted i where i.counted_as is not null or i.remainders is not null),
    (
      select array_agg(i.tenant_id) from inserted i
      where i.model is not null and i.input_tokens is not null and i.cost_nanos is null
    )
  into rollups, splits, quotas, remainders, unpriced;
end
$$;
