-- $1: names, $2: ids. The tenants that exist among them.
select id, name, fail_mode from tenants where name = any ($1::text[]) or id = any ($2::uuid[])
