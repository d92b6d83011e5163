-- The same details with what each call costs and by which price, where its sender did not say the cost: the price in
-- force when it happened (model_prices). Without tokens by pool, or without a price, the cost stays unknown.
-- `p_catalogue`: the catalogue's prices for these models. Those that are used become rows of `prices`, by key.
create or replace function priced_details(
  p_created_ats timestamptz[], p_details event_detail[], p_catalogue jsonb
)
returns event_detail[]
language plpgsql
as $$
declare
  v_found price_found[] := array(
    with calls as (
      select d.*, p_created_ats[d.place] as created_at,
             d.input_tokens::bigint + d.cache_read_tokens + d.cache_write_tokens as context
      from unnest(p_details) as d
      where d.model is not null and d.input_tokens is not null and d.cost_nanos is null
    ),
    rated as materialized (
      select * from model_prices(array(select distinct model from calls), p_catalogue)
    )
    select distinct on (c.place) row(
             c.place, p.number, p.catalogue, p.name, p.effective_from, p.rates, p.per_call + round((
               c.input_tokens * p.input + c.cache_read_tokens * p.cache_read
               + (c.cache_write_tokens - c.cache_write_1h_tokens) * p.cache_write
               + c.cache_write_1h_tokens * p.cache_write_1h + c.output_tokens * p.output
               + c.reasoning_tokens * p.reasoning
             ) / 1000000)
           )::price_found
    from calls c join rated p on p.model = c.model and p.effective_from <= c.created_at and p.above < c.context
    order by c.place, p.rank
  );
begin
  if cardinality(v_found) = 0 then
    return p_details;
  end if;
  insert into prices (catalogue, model, effective_from, rates)
  select distinct on (f.catalogue, f.name, f.effective_from) f.catalogue, f.name, f.effective_from, f.rates
  from unnest(v_found) as f
  where f.catalogue is not null and not exists (
    select from prices p
    where p.catalogue = f.catalogue and p.model = f.name and p.effective_from = f.effective_from
  )
  order by 1, 2, 3
  on conflict do nothing;
  return array(
    select row(
             d.place, d.model, d.user_id, d.input_tokens, d.cache_read_tokens, d.cache_write_tokens,
             d.cache_write_1h_tokens, d.output_tokens, d.reasoning_tokens, d.dimensions,
             coalesce(d.cost_nanos, f.cost_nanos), coalesce(f.number, p.number), d.remainders
           )::event_detail
    from unnest(p_details) as d
    left join unnest(v_found) as f using (place)
    left join (
      select * from prices
      where catalogue = any (array(select distinct catalogue from unnest(v_found)))
        and model = any (array(select distinct name from unnest(v_found)))
    ) as p on p.catalogue = f.catalogue and p.model = f.name and p.effective_from = f.effective_from
  );
end
$$;
