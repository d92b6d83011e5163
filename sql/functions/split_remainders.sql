-- The same details, with the splits in which each event is counted in the remainder: where its value comes after the
-- first `split_limit()` of its tenant and period. A value that counts by itself does so for the whole period.
--
-- Locks: split_counts by key, where values are new and not all are taken. Who waited sees what the other has added.
create or replace function split_remainders(p_tenants uuid[], p_created_ats timestamptz[], p_details event_detail[])
returns event_detail[]
language plpgsql
as $$
declare
  v_new split_value[];
  v_refused split_value[];
begin
  v_new := new_values(array(
    select row(e.tenant_id, p.period_start, s.split, s.value, array_agg(e.place))::split_value
    from (
      select d.place, d.model, d.user_id, d.dimensions, p_tenants[d.place] as tenant_id,
             date_bin('15 minutes', p_created_ats[d.place], timestamptz 'epoch') as quarter
      from unnest(p_details) as d
    ) as e
    join billing_periods(
      array(select p_tenants[d.place] from unnest(p_details) as d),
      array(select date_bin('15 minutes', p_created_ats[d.place], timestamptz 'epoch') from unnest(p_details) as d)
    ) as p on p.tenant_id = e.tenant_id and p.moment = e.quarter
    cross join lateral split_values(e.model, e.user_id, e.dimensions) as s
    group by e.tenant_id, p.period_start, s.split, s.value
  ));
  if cardinality(v_new) = 0 then
    return p_details;
  end if;

  -- A conflict locks its row also where nothing is updated.
  insert into split_counts as c (tenant_id, period_start, split, value_count)
  select v.tenant_id, v.period_start, v.split, 0
  from (select distinct tenant_id, period_start, split from unnest(v_new)) as v
  left join split_counts k using (tenant_id, period_start, split)
  where coalesce(k.value_count, 0) < split_limit(v.split)
  order by 1, 2, 3
  on conflict on constraint split_counts_pkey do update set value_count = c.value_count where false;
  v_new := new_values(v_new);

  with numbered as (
    select v.*, row_number() over (partition by v.tenant_id, v.period_start, v.split order by v.value) as nth
    from unnest(v_new) as v
  ),
  counted as (
    update split_counts c
    set value_count = greatest(c.value_count, least(split_limit(c.split), c.value_count + n.values))
    from (select tenant_id, period_start, split, max(nth) as values from numbered group by 1, 2, 3) as n
    where c.tenant_id = n.tenant_id and c.period_start = n.period_start and c.split = n.split
      and c.value_count < split_limit(c.split)
  )
  select array_agg(row(n.tenant_id, n.period_start, n.split, n.value, n.places)::split_value)
  into v_refused
  from numbered n join split_counts c using (tenant_id, period_start, split)
  where c.value_count + n.nth > split_limit(n.split);
  if v_refused is null then
    return p_details;
  end if;
  return array(
    select row(
             d.place, d.model, d.user_id, d.input_tokens, d.cache_read_tokens, d.cache_write_tokens,
             d.cache_write_1h_tokens, d.output_tokens, d.reasoning_tokens, d.dimensions, d.cost_nanos, d.price_number,
             r.splits
           )::event_detail
    from unnest(p_details) as d
    left join (
      select place, array_agg(split order by split) as splits
      from unnest(v_refused) as v cross join lateral unnest(v.places) as place
      group by place
    ) as r using (place)
  );
end
$$;
