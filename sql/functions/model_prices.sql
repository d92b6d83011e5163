-- Every price that models may have: of the operator's own, and of the catalogue (`p_catalogue`, a JSON array). A price
-- has a row per tier (price_rates). `rank` is the order in which they are looked at: the first whose `effective_from`
-- and `above` fit a call is its price. The operator's own come before the catalogue's, a model's name before a
-- beginning of it, a longer beginning before a shorter one, and later prices before earlier ones. `number` is null for
-- one of the catalogue.
create or replace function model_prices(p_models text[], p_catalogue jsonb)
returns table (
  model text, number int, catalogue text, name text, effective_from timestamptz, rates jsonb, above bigint,
  per_call numeric, input numeric, cache_read numeric, cache_write numeric, cache_write_1h numeric, output numeric,
  reasoning numeric, rank bigint
)
language sql stable
as $$
  select p.*, r.*, row_number() over (
           partition by p.model
           order by p.catalogue is not null, p.name <> p.model, length(p.name) desc, p.effective_from desc, r.above desc
         )
  from (
    select m.model, p.number, null::text as catalogue, p.model as name, p.effective_from, p.rates
    from unnest(p_models) as m (model)
    join prices p on p.model = m.model and p.catalogue is null and p.deleted_at is null
    union all
    select m.model, p.number, null, p.model, p.effective_from, p.rates
    from unnest(p_models) as m (model)
    join prices p on starts_with(m.model, left(p.model, -1)) and right(p.model, 1) = '*'
      and p.catalogue is null and p.deleted_at is null
    union all
    select c.model, null, c.catalogue, c.name, coalesce(c.effective_from, '-infinity'), c.rates
    from jsonb_to_recordset(p_catalogue)
      as c (model text, catalogue text, name text, effective_from timestamptz, rates jsonb)
  ) as p
  cross join lateral price_rates(p.rates) as r
$$;
