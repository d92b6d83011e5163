-- $1: channel, $2: payloads. Without anybody who listens it costs next to nothing.
select pg_notify($1::text, payload) from unnest($2::text[]) as payload
