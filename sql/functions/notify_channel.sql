-- The channel on which processes tell each other what has changed. Channels belong to the whole database, so each
-- schema has its own, named after the schema's number. In `public` it keeps the name that earlier releases listen to.
create or replace function notify_channel()
returns text
language sql stable
as $$
  select 'flagmeter_changes' || case n.nspname when 'public' then '' else '_' || n.oid end
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.oid = 'event_retention'::regclass
$$;
