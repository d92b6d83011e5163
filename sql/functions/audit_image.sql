-- What the audit log keeps of a row.
create or replace function audit_image(p_image jsonb)
returns jsonb
language sql immutable
as $$
  select p_image - '{hash,secret,previous_secret,host,position,last_used_at}'::text[]
    || case when p_image ? 'url'
       then jsonb_build_object('url', regexp_replace(p_image ->> 'url', '^(\w+://[^/?#]*).*$', '\1/…')) else '{}' end
$$;
