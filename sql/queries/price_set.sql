-- $1: a JSON array, as set_prices takes it.
select set_prices($1::text::jsonb) as id
