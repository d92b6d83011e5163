-- $1: how many at most.
select lapse_reservations($1::int) as lapsed
