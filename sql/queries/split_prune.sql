-- $1: cutoff; $2: how many at most.
select prune_splits($1::timestamptz, $2::int) as deleted
