-- $1: webhook id, $2: how many in a minute at most. The delivery of a test message; null: there were as many already.
select create_test_delivery($1::uuid, $2::int) as id
