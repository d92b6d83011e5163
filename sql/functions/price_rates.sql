-- The rates of a price (prices.rates): those that always apply, and a row per tier. Of the rows whose `above` is less
-- than the tokens of a call's context (all input, cached or not), the highest holds, for all tokens of the call. In
-- nano-dollars per million tokens; `per_call` in nano-dollars.
create or replace function price_rates(p_rates jsonb)
returns table (
  above bigint, per_call numeric, input numeric, cache_read numeric, cache_write numeric, cache_write_1h numeric,
  output numeric, reasoning numeric
)
language sql immutable parallel safe
as $$
  select coalesce((t.rates ->> 'above')::bigint, -1), (t.rates ->> 'request')::numeric, (t.rates ->> 'input')::numeric,
         (t.rates ->> 'cacheRead')::numeric, (t.rates ->> 'cacheWrite')::numeric,
         (t.rates ->> 'cacheWrite1h')::numeric, (t.rates ->> 'output')::numeric, (t.rates ->> 'reasoning')::numeric
  from (
    select p_rates - 'tiers' as rates
    union all
    select jsonb_array_elements(p_rates -> 'tiers')
  ) as t
$$;
