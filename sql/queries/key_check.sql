-- $1: SHA-256 of keys, in hex. Those that exist, and a note of their use, at most once a minute.
with used as (
  update api_keys set last_used_at = now()
  where hash = any (select decode(hex, 'hex') from unnest($1::text[]) as hex)
    and revoked_at is null and (last_used_at is null or last_used_at < now() - interval '1 minute')
)
select encode(k.hash, 'hex') as hash, k.id, k.name, k.scopes, k.tenant_id, t.name as tenant_name, k.expires_at, k.revoked_at
from api_keys k left join tenants t on t.id = k.tenant_id
where k.hash = any (select decode(hex, 'hex') from unnest($1::text[]) as hex)
