-- Gives back what at most `batch` reservations hold that expired by `moment`, of the given tenants or of all (null), and returns
-- how many. `moment` is not after now.
create or replace function lapse_reservations(batch int, moment timestamptz default now(), tenants uuid[] default null)
returns int
language sql
as $$
  select coalesce(max(release_reservations(due.tenants, due.ids, 'lapsed')), 0)
  from (
    select array_agg(tenant_id) as tenants, array_agg(id) as ids
    from (
      select tenant_id, id from reservations
      where status = 'held' and expires_at <= least(moment, now())
        and (lapse_reservations.tenants is null or tenant_id = any (lapse_reservations.tenants))
      order by expires_at limit batch
    ) as expired
    having count(*) > 0
  ) as due
$$;
