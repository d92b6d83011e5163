-- Deletes at most `batch` deliveries that ended before `cutoff` or whose webhook was deleted, and returns how many. What is still to be
-- delivered stays, whatever its age.
create or replace function prune_deliveries(cutoff timestamptz, batch int)
returns bigint
language plpgsql
as $$
declare
  gone record;
  deleted bigint;
  rest bigint := batch;
begin
  for gone in select * from deleted_webhooks order by deleted_at limit 100 for update skip locked loop
    delete from deliveries
    where ctid = any (array(
      select ctid from deliveries where tenant_id = gone.tenant_id and webhook_id = gone.webhook_id limit rest
    ));
    get diagnostics deleted = row_count;
    rest := rest - deleted;
    if rest <= 0 then
      return batch;
    end if;
    delete from deleted_webhooks where tenant_id = gone.tenant_id and webhook_id = gone.webhook_id;
  end loop;
  delete from deliveries
  where ctid = any (array(
    select ctid from deliveries where status in ('delivered', 'dead') and finished_at < cutoff limit rest for update skip locked
  ));
  get diagnostics deleted = row_count;
  return batch - rest + deleted;
end
$$;
