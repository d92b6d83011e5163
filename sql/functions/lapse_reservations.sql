-- Gives back what at most `batch` reservations hold that have expired, of the given tenants or of all, and returns how many.
create or replace function lapse_reservations(batch int, tenants uuid[] default null)
returns int
language sql
as $$
  select coalesce(max(release_reservations(due.tenants, due.ids, 'lapsed')), 0)
  from (
    select array_agg(tenant_id) as tenants, array_agg(id) as ids
    from (
      select tenant_id, id from reservations
      where status = 'held' and expires_at <= now() and (lapse_reservations.tenants is null or tenant_id = any (lapse_reservations.tenants))
      order by expires_at limit batch
    ) as expired
    having count(*) > 0
  ) as due
$$;
