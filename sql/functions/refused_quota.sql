-- The counter that has too little room, with what is held of it by now.
create or replace function refused_quota(p_counter quota_counter, p_room bigint)
returns jsonb
language sql immutable parallel safe
as $$
  select to_jsonb(p_counter)
    || jsonb_build_object('reserved_tokens', p_counter.token_limit - p_counter.total_tokens - p_room)
$$;
