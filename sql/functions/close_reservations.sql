-- Ends the holds of reservations that are still held and returns them; the caller gives the holds back (move_quotas)
-- in this transaction. Of the others, and of ids that are not there, nothing is said: settling, releasing and lapsing
-- are idempotent.
create or replace function close_reservations(p_tenants uuid[], p_ids uuid[], p_outcome text)
returns setof hold
language plpgsql
as $$
begin
  perform from reservations
  where (tenant_id, id) in (select * from unnest(p_tenants, p_ids)) and status = 'held'
  order by tenant_id, id for update;
  return query
  update reservations set status = p_outcome
  where (tenant_id, id) in (select * from unnest(p_tenants, p_ids)) and status = 'held'
  returning tenant_id, feature, date_bin('15 minutes', created_at, timestamptz 'epoch'), tokens, model, user_id,
            cost_nanos;
end
$$;
