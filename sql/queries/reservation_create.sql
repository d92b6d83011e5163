-- $1: a JSON array of wanted_reservation, $2: whether what has expired is given back first, $3: the catalogue's prices
-- of the models, as JSON.
select * from reserve_tokens($1::text::jsonb, $2::boolean, $3::text::jsonb)
