-- Tells the dashboards that something of a tenant has changed, with the commit. For what changes rarely: the changes of
-- usage are told by the processes that count it. The argument is the column that holds the tenant's id.
create or replace function notify_change()
returns trigger
language plpgsql
set search_path from current
as $$
declare
  v_tenant text := to_jsonb(coalesce(new, old)) ->> tg_argv[0];
begin
  if v_tenant is not null then
    perform pg_notify(notify_channel(), json_build_object('changed', v_tenant)::text);
  end if;
  return null;
end
$$;
