-- Prices events of a tenant again, and moves what they cost in every counter, in one transaction: those with tokens by
-- pool whose cost was not reported. Where there is no price any more, the cost becomes unknown. `p_catalogue`: the
-- catalogue's prices for their models, as in priced_details. Returns how many have another cost or price than before.
--
-- Raises the alerts that are due, but for quotas per user: with the user's next event. The tenant's row is locked
-- against record_events: the counters are this transaction's alone.
create or replace function reprice_events(p_tenant uuid, p_ids uuid[], p_catalogue jsonb)
returns int
language plpgsql
as $$
declare
  v_ids uuid[];
  v_created_ats timestamptz[];
  v_details event_detail[];
  v_rollups usage_move[];
  v_splits usage_move[];
  v_quotas quota_move[];
  v_told text[];
  v_changed int;
begin
  perform from tenants where id = p_tenant for no key update;
  select array_agg(e.id), array_agg(e.created_at), array_agg(row(
           e.place, e.model, e.user_id, e.input_tokens, e.cache_read_tokens, e.cache_write_tokens,
           e.cache_write_1h_tokens, e.output_tokens, e.reasoning_tokens, e.dimensions, null, null, e.remainders
         )::event_detail)
  into v_ids, v_created_ats, v_details
  from (
    select *, row_number() over () as place from events
    where tenant_id = p_tenant and id = any (p_ids) and model is not null and input_tokens is not null
      and (cost_nanos is null or price_number is not null)
  ) as e;
  if v_ids is null then
    return 0;
  end if;
  v_details := priced_details(v_created_ats, v_details, p_catalogue);

  with changed as (
    update events e set cost_nanos = d.cost_nanos, price_number = d.price_number
    from unnest(v_details) as d, events o
    where e.tenant_id = p_tenant and e.id = v_ids[d.place] and o.tenant_id = p_tenant and o.id = v_ids[d.place]
      and (e.cost_nanos, e.price_number) is distinct from (d.cost_nanos, d.price_number)
    returning e.*, coalesce(d.cost_nanos, 0) - coalesce(o.cost_nanos, 0) as more_cost,
              (d.cost_nanos is not null)::int - (o.cost_nanos is not null)::int as more_priced
  ),
  rolled as (
    select coalesce(c.counted_as, c.feature) as feature,
           date_bin('1 minute', c.created_at, timestamptz 'epoch') as minute,
           sum(c.more_cost)::bigint as cost, sum(c.more_priced)::bigint as priced
    from changed c
    group by 1, 2
  ),
  split as (
    select s.split, case when s.split = any (c.remainders) then '(other)' else s.value end as value,
           date_bin('15 minutes', c.created_at, timestamptz 'epoch') as quarter,
           sum(c.more_cost)::bigint as cost, sum(c.more_priced)::bigint as priced
    from changed c cross join lateral split_values(c.model, c.user_id, c.dimensions) as s
    group by 1, 2, 3
  ),
  counted as (
    select coalesce(c.counted_as, c.feature) as feature, c.model, c.user_id,
           date_bin('15 minutes', c.created_at, timestamptz 'epoch') as quarter, sum(c.more_cost)::bigint as cost,
           sum(c.more_priced)::bigint as priced
    from changed c
    group by 1, 2, 3, 4
  )
  select
    (select count(*) from changed),
    (
      select array_agg(row(
        p_tenant, 'feature', r.feature, r.minute, 0, 0, 0, 0, 0, 0, 0, r.cost, r.priced
      )::usage_move)
      from rolled r
    ),
    (
      select array_agg(row(
        p_tenant, s.split, s.value, s.quarter, 0, 0, 0, 0, 0, 0, 0, s.cost, s.priced
      )::usage_move)
      from split s
    ),
    (
      select array_agg(row(
        p_tenant, c.feature, c.model, c.user_id, c.quarter, 0, 0, c.cost, c.priced, 0, 0, 0
      )::quota_move)
      from counted c
    )
  into v_changed, v_rollups, v_splits, v_quotas;
  if v_changed > 0 then
    v_told := told_thresholds(p_tenant);
    perform move_costs(p_tenant, v_rollups, v_splits, v_quotas);
    perform alert_reached(p_tenant, v_told);
  end if;
  return v_changed;
end
$$;
