-- Makes the first admin key, unless an admin key of no tenant is valid. One at a time, so that of many processes that start
-- at once exactly one makes it. Returns whether it did.
create or replace function create_first_key(key_hash text, key_hint text)
returns boolean
language plpgsql
as $$
begin
  perform pg_advisory_xact_lock(7358002);
  if exists (
    select from api_keys
    where 'admin' = any (scopes) and tenant_id is null and revoked_at is null and (expires_at is null or expires_at > now())
  ) then
    return false;
  end if;
  insert into api_keys (hash, hint, name, scopes)
  values (decode(key_hash, 'hex'), key_hint, 'first admin key', '{ingest,read,admin}');
  return true;
end
$$;
