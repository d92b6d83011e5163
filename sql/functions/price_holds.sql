-- The same reservations, with the most that the call of each may cost, at the price in force now: all input at the
-- highest rate of input, cached or not, all output at the highest of output, in the dearest tier that so much input can
-- reach. Where only the sum of both is known, all of it at the highest rate. Null: the model has no price.
-- `p_catalogue` as in model_prices.
create or replace function price_holds(p_wanted wanted_reservation[], p_catalogue jsonb)
returns wanted_reservation[]
language sql stable
as $$
  with calls as (
    select w.*, coalesce(w.input_tokens, w.tokens) as most_input
    from unnest(p_wanted) with ordinality as w (
      tenant_id, id, key, feature, tokens, created_at, ttl_seconds, model, user_id, input_tokens, output_tokens,
      cost_nanos, place
    )
  ),
  prices as materialized (
    select p.*, greatest(p.input, p.cache_read, p.cache_write, p.cache_write_1h) as most_in,
           greatest(p.output, p.reasoning) as most_out
    from model_prices(array(select distinct model from calls where model is not null), p_catalogue) as p
  ),
  in_force as (
    select distinct on (c.place) c.place, p.number, p.catalogue, p.name, p.effective_from
    from calls c join prices p on p.model = c.model and p.effective_from <= c.created_at
    order by c.place, p.rank
  ),
  priced as (
    select c.place, ceil(max(p.per_call + case
             when c.input_tokens is null then c.tokens * greatest(p.most_in, p.most_out)
             else c.input_tokens * p.most_in + c.output_tokens * p.most_out
           end / 1000000))::bigint as nanos
    from calls c
    join in_force f using (place)
    join prices p on p.model = c.model and p.number is not distinct from f.number
      and p.catalogue is not distinct from f.catalogue and p.name = f.name and p.effective_from = f.effective_from
    where p.above < c.most_input
    group by c.place
  )
  select array_agg(
           row(
             c.tenant_id, c.id, c.key, c.feature, c.tokens, c.created_at, c.ttl_seconds, c.model, c.user_id,
             c.input_tokens, c.output_tokens, p.nanos
           )::wanted_reservation
           order by c.place
         )
  from calls c left join priced p using (place)
$$;
