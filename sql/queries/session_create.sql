-- $1: SHA-256 of the session, in hex, $2: key id, $3: when it ends, $4: now, $5: SHA-256 of the session it replaces, in
-- hex, or empty. Sessions that have ended are deleted on the way.
with ended as (
  delete from sessions where expires_at <= $4::timestamptz or hash = decode($5::text, 'hex')
)
insert into sessions (hash, key_id, expires_at)
values (decode($1::text, 'hex'), $2::uuid, $3::timestamptz)
