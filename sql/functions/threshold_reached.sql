-- Whether `p_tokens` are at least `p_threshold` percent of the limit. Numeric: the product may leave bigint.
create or replace function threshold_reached(p_tokens bigint, p_token_limit bigint, p_threshold int)
returns boolean
language sql immutable parallel safe
as $$
  select p_tokens * 100::numeric >= p_token_limit * p_threshold::numeric
$$;
