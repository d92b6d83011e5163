-- Fails too when the schema is missing: then events could not be taken either.
select from tenants limit 1
