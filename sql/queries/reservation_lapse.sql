-- $1: how many at most, $2: that expired by this moment.
select lapse_reservations($1::int, $2::timestamptz) as lapsed
