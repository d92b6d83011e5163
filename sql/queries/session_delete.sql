-- $1: SHA-256 of the session, in hex.
delete from sessions where hash = decode($1::text, 'hex')
