-- Sets the operator's own prices: a JSON array of model, effective_from and rates. A price of the same model from the
-- same moment is replaced; of two in the array, the later counts. One that is the same already stays as it is. Returns
-- the ids.
create or replace function set_prices(p_prices jsonb)
returns setof uuid
language plpgsql
as $$
declare
  v_given jsonb := (
    select jsonb_agg(g.price)
    from (
      select distinct on (price ->> 'model', (price ->> 'effective_from')::timestamptz) price
      from jsonb_array_elements(p_prices) with ordinality as g (price, place)
      order by price ->> 'model', (price ->> 'effective_from')::timestamptz, place desc
    ) as g
  );
begin
  perform pg_advisory_xact_lock(hashtextextended('prices', 0)); -- of two at once, the second must find the first's
  update prices p set deleted_at = now()
  from jsonb_to_recordset(v_given) as g (model text, effective_from timestamptz, rates jsonb)
  where p.model = g.model and p.effective_from = g.effective_from and p.rates <> g.rates
    and p.catalogue is null and p.deleted_at is null;
  insert into prices (model, effective_from, rates)
  select g.model, g.effective_from, g.rates
  from jsonb_to_recordset(v_given) as g (model text, effective_from timestamptz, rates jsonb)
  on conflict (model, effective_from) where catalogue is null and deleted_at is null do nothing;
  return query
  select p.id
  from jsonb_to_recordset(v_given) as g (model text, effective_from timestamptz)
  join prices p on p.model = g.model and p.effective_from = g.effective_from
    and p.catalogue is null and p.deleted_at is null;
end
$$;
