-- $1: tenant id, $2: the moment. The billing period of that moment.
select p.* from tenants t cross join lateral billing_period($2::timestamptz, t.billing_day, t.timezone) as p
where t.id = $1::uuid
