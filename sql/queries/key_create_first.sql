-- $1: SHA-256 of the key, in hex, $2: hint.
select create_first_key($1::text, $2::text) as outcome
