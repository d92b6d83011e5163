-- $1: cutoff, rounded down to the minute, so that no rollup loses a part of its events; $2: how many at most.
select prune_events(date_bin('1 minute', $1::timestamptz, timestamptz 'epoch'), $2::int) as deleted
