-- Parallel arrays, $1: tenant ids, $2: ids.
select release_reservations($1::uuid[], $2::uuid[]) as released
