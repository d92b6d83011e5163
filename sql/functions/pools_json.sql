-- Tokens by pool, as the API writes them.
create or replace function pools_json(
  p_input bigint, p_cache_read bigint, p_cache_write bigint, p_output bigint, p_reasoning bigint
)
returns json
language sql immutable parallel safe
as $$
  select json_build_object(
    'input', p_input, 'cacheRead', p_cache_read, 'cacheWrite', p_cache_write, 'output', p_output,
    'reasoning', p_reasoning
  )
$$;
