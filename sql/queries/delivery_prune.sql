-- $1: ended before; $2: how many at most.
select prune_deliveries($1::timestamptz, $2::int) as deleted
