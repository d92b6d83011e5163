-- The role that Grafana reads with: what tenants use, and no keys, no webhooks, no audit log. psql runs this at every start, with
-- the password in the variable `password`; tables that a release adds stay closed until they are named here.
\set ON_ERROR_STOP on
select 'create role flagmeter_reader' where not exists (select from pg_roles where rolname = 'flagmeter_reader') \gexec
alter role flagmeter_reader login connection limit 8 password :'password';
alter role flagmeter_reader set default_transaction_read_only = on;
alter role flagmeter_reader set statement_timeout = '10s';
grant select on tenants, usage_periods, usage_features, rollups, alerts, deliveries to flagmeter_reader;
