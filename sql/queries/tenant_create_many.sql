-- $1: names. Tenants with the settings of a new one; a name that is taken is left out.
select from unnest($1::text[]) as name, create_tenant(name, null, null, null, null, null, null)
