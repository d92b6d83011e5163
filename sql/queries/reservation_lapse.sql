-- $1: how many at most; $2: that expired by this moment, null: by now; $3: and at least so many milliseconds ago.
select lapse_reservations($1::int, least($2::timestamptz, now() - $3::int * interval '1 millisecond')) as lapsed
