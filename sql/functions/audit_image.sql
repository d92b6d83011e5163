-- What the audit log keeps of a row.
create or replace function audit_image(image jsonb)
returns jsonb
language sql immutable
as $$
  select image - '{hash,secret,previous_secret,host,position,last_used_at}'::text[]
    || case when image ? 'url'
       then jsonb_build_object('url', regexp_replace(image ->> 'url', '^(\w+://[^/?#]*).*$', '\1/…')) else '{}' end
$$;
