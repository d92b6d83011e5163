-- The role that Grafana reads with: usage of tenants, but no keys, webhooks or audit log. psql runs this at every
-- start, with the password in the variable `password`. Tables that a release adds stay closed until they are named
-- here. If a database has FlagMeter in several schemas, the variable `schema` names the one to read.
\set ON_ERROR_STOP on
\if :{?schema}
\else
  select n.nspname as schema
  from pg_namespace n join pg_class c on c.relnamespace = n.oid and c.relname = 'event_retention'
  order by n.nspname = 'public' limit 1 \gset
\endif
select 'create role flagmeter_reader' where not exists (select from pg_roles where rolname = 'flagmeter_reader') \gexec
alter role flagmeter_reader login connection limit 8 password :'password';
alter role flagmeter_reader set default_transaction_read_only = on;
alter role flagmeter_reader set statement_timeout = '10s';
-- Panels, and the functions they call, name tables without a schema.
alter role flagmeter_reader in database :"DBNAME" set search_path = :"schema";
set search_path = :"schema";
grant usage on schema :"schema" to flagmeter_reader;
grant select on tenants, usage_periods, usage_features, rollups, alerts, deliveries to flagmeter_reader;
