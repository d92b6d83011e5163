-- The billing period of each tenant and moment of the parallel arrays, each pair once; moments are quarters of an hour.
create or replace function billing_periods(p_tenants uuid[], p_moments timestamptz[])
returns table (tenant_id uuid, moment timestamptz, period_start timestamptz)
language sql stable
as $$
  select g.tenant_id, g.moment, c.period_start
  from (select distinct d.tenant_id, d.moment from unnest(p_tenants, p_moments) as d (tenant_id, moment)) as g
  join tenants t on t.id = g.tenant_id
  cross join lateral counter_period(t.id, t.id, g.moment, 'month', t.billing_day, t.timezone, false) as c
$$;
