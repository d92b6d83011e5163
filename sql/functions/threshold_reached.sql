-- Whether `tokens` are at least `threshold` percent of the limit. Numeric: the product may leave bigint.
create or replace function threshold_reached(tokens bigint, token_limit bigint, threshold int)
returns boolean
language sql immutable parallel safe
as $$
  select tokens * 100::numeric >= token_limit * threshold::numeric
$$;
