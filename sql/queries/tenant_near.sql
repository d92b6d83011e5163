-- $1: names that no tenant has. The names of tenants that stand beside each in the alphabet: up to 250 before it and
-- 250 after it.
select wanted.name as wanted, near.name
from unnest($1::text[]) wanted (name)
cross join lateral (
  (select name from tenants where name >= wanted.name order by name limit 250)
  union all
  (select name from tenants where name < wanted.name order by name desc limit 250)
) near
