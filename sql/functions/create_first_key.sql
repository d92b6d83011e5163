-- Makes the first admin key, unless an admin key of no tenant is valid. One at a time, so that of many processes that
-- start at once exactly one makes it. Returns 'created'; 'known' when the given key is valid already; else 'other':
-- there is another.
create or replace function create_first_key(p_hash text, p_hint text)
returns text
language plpgsql
as $$
declare
  v_valid bytea[];
begin
  perform pg_advisory_xact_lock(7358002);
  v_valid := array(
    select hash from api_keys
    where 'admin' = any (scopes) and tenant_id is null and revoked_at is null
      and (expires_at is null or expires_at > now())
  );
  if decode(p_hash, 'hex') = any (v_valid) then
    return 'known';
  elsif cardinality(v_valid) > 0 then
    return 'other';
  end if;
  insert into api_keys (hash, hint, name, scopes)
  values (decode(p_hash, 'hex'), p_hint, 'first admin key', '{ingest,read,admin}');
  return 'created';
end
$$;
