-- Writes a change of a tenant, a quota, a webhook, a key or a price to the audit log. What gets a deleted_at counts as
-- deleted. The actor is what the transaction says it is (flagmeter.actor), else the database user. Secrets and hashes
-- are left out, and of a URL all but its origin.
-- It sets its search_path because triggers also run for somebody who changes a row by hand, with another one.
create or replace function audit_change()
returns trigger
language plpgsql
set search_path from current
as $$
declare
  v_image jsonb := to_jsonb(coalesce(new, old));
begin
  insert into audit_log (actor, action, subject_id, tenant_id, before, after)
  values (
    coalesce(nullif(current_setting('flagmeter.actor', true), ''), 'database user ' || session_user),
    tg_argv[0] || case
      when tg_op = 'INSERT' then '.created'
      when tg_op = 'UPDATE' and v_image ->> 'deleted_at' is null then '.updated'
      else '.deleted'
    end,
    coalesce(v_image ->> 'id', v_image ->> 'quota_id')::uuid,
    (case when tg_argv[0] = 'tenant' then v_image ->> 'id' else v_image ->> 'tenant_id' end)::uuid,
    case when tg_op <> 'INSERT' then audit_image(to_jsonb(old)) end,
    case when tg_op <> 'DELETE' and v_image ->> 'deleted_at' is null then audit_image(to_jsonb(new)) end
  );
  return null;
end
$$;
