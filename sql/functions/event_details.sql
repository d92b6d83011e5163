-- What events of a batch say beyond their feature and tokens, with their prices and costs (priced_details) and the
-- splits in which they are counted in the remainder (split_remainders). `p_details` has `events`, each with its place
-- in the batch, from 1, and `prices` of the catalogue for their models.
create or replace function event_details(p_tenants uuid[], p_created_ats timestamptz[], p_details jsonb)
returns event_detail[]
language plpgsql
as $$
declare
  v_details event_detail[] := array(
    select d from jsonb_populate_recordset(null::event_detail, p_details -> 'events') as d
  );
begin
  v_details := split_remainders(p_tenants, p_created_ats, v_details);
  return priced_details(p_created_ats, v_details, p_details -> 'prices');
end
$$;
