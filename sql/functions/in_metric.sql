-- What a quota of that metric counts of these: tokens, requests, or nano-dollars.
create or replace function in_metric(p_metric text, p_tokens bigint, p_requests bigint, p_nanos bigint)
returns bigint
language sql immutable parallel safe
as $$ select case p_metric when 'tokens' then p_tokens when 'requests' then p_requests else p_nanos end $$;
