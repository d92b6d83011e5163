-- $1: a JSON array of wanted_reservation. $2: whether what has expired is given back first.
select * from reserve_tokens($1::text::jsonb, $2::boolean)
