-- $1: SHA-256 of keys or of sessions, in hex. The keys that exist, and a note of their use, at most once a minute.
-- event_retention comes first because no other application has such a table: in a shared database that is not migrated
-- yet, the query fails there, and never reads another application's api_keys.
with given as materialized (
  select decode(hex, 'hex') as hash from unnest($1::text[]) as hex where exists (select from event_retention)
),
found as materialized (
  select k.hash, k.id, k.expires_at from given join api_keys k using (hash)
  union all
  select s.hash, s.key_id, s.expires_at from given join sessions s using (hash)
),
used as (
  update api_keys set last_used_at = now()
  where id = any (array(select id from found))
    and revoked_at is null and (last_used_at is null or last_used_at < now() - interval '1 minute')
)
select encode(f.hash, 'hex') as hash, k.id, k.name, k.scopes, k.tenant_id, t.name as tenant_name, k.user_id,
       least(f.expires_at, k.expires_at) as expires_at, k.revoked_at
from found f join api_keys k using (id) left join tenants t on t.id = k.tenant_id
