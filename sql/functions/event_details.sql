-- What events of a batch say beyond their feature and tokens, with their prices and costs (priced_details) and the
-- splits in which they are counted in the remainder (split_remainders). `p_details` has `events`, each with its place
-- in the batch, from 1, and `prices` of the catalogue for their models. Where the cost of a settlement (`p_settles`) is
-- unknown, it costs what was held for it, per token: otherwise a quota of cost would get back all of its hold.
create or replace function event_details(
  p_tenants uuid[], p_ids uuid[], p_tokens bigint[], p_created_ats timestamptz[], p_settles boolean[], p_details jsonb
)
returns event_detail[]
language plpgsql
as $$
declare
  v_details event_detail[] := array(
    select d from jsonb_populate_recordset(null::event_detail, p_details -> 'events') as d
  );
begin
  v_details := split_remainders(p_tenants, p_created_ats, v_details);
  v_details := priced_details(p_created_ats, v_details, p_details -> 'prices');
  if p_settles is null then
    return v_details;
  end if;
  return array(
    select row(
             d.place, d.model, d.user_id, d.input_tokens, d.cache_read_tokens, d.cache_write_tokens,
             d.cache_write_1h_tokens, d.output_tokens, d.reasoning_tokens, d.dimensions,
             coalesce(d.cost_nanos, ceil(r.cost_nanos * (p_tokens[d.place]::numeric / r.tokens))::bigint),
             d.price_number, d.remainders
           )::event_detail
    from unnest(v_details) as d
    left join reservations r
      on d.cost_nanos is null and p_settles[d.place] and r.tenant_id = p_tenants[d.place] and r.id = p_ids[d.place]
  );
end
$$;
