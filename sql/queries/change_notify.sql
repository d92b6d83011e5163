-- $1: payloads. Without anybody who listens it costs next to nothing.
select pg_notify(notify_channel(), payload) from unnest($1::text[]) as payload
