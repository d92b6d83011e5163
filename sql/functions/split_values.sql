-- The splits that an event is counted in besides its feature's, with its value in each: its model, its user, and every
-- dimension.
create or replace function split_values(p_model text, p_user text, p_dimensions jsonb)
returns table (split text, value text)
language sql immutable parallel safe
as $$
  select 'model', p_model where p_model is not null
  union all
  select 'user', p_user where p_user is not null
  union all
  select key, value from jsonb_each_text(p_dimensions)
$$;
