-- Gives back what at most `p_batch` reservations hold that expired by `p_moment`, of the given tenants or of all
-- (null), and returns how many. `p_moment` is not after now.
create or replace function lapse_reservations(
  p_batch int, p_moment timestamptz default now(), p_tenants uuid[] default null
)
returns int
language sql
as $$
  select coalesce(max(release_reservations(due.tenants, due.ids, 'lapsed')), 0)
  from (
    select array_agg(tenant_id) as tenants, array_agg(id) as ids
    from (
      select tenant_id, id from reservations
      where status = 'held' and expires_at <= least(p_moment, now())
        and (p_tenants is null or tenant_id = any (p_tenants))
      order by expires_at limit p_batch
    ) as expired
    having count(*) > 0
  ) as due
$$;
