-- Deletes at most `p_batch` deliveries that ended before `p_cutoff` or whose webhook was deleted, and returns how many.
-- What is still to be delivered stays, whatever its age.
create or replace function prune_deliveries(p_cutoff timestamptz, p_batch int)
returns bigint
language plpgsql
as $$
declare
  v_gone deleted_webhooks;
  v_deleted bigint;
  v_rest bigint := p_batch;
begin
  for v_gone in select * from deleted_webhooks order by deleted_at limit 100 for update skip locked loop
    delete from deliveries
    where ctid = any (array(
      select ctid from deliveries
      where tenant_id = v_gone.tenant_id and webhook_id = v_gone.webhook_id limit v_rest
    ));
    get diagnostics v_deleted = row_count;
    v_rest := v_rest - v_deleted;
    if v_rest <= 0 then
      return p_batch;
    end if;
    delete from deleted_webhooks where tenant_id = v_gone.tenant_id and webhook_id = v_gone.webhook_id;
  end loop;
  delete from deliveries
  where ctid = any (array(
    select ctid from deliveries
    where status in ('delivered', 'dead') and finished_at < p_cutoff limit v_rest for update skip locked
  ));
  get diagnostics v_deleted = row_count;
  return p_batch - v_rest + v_deleted;
end
$$;
