-- Nano-dollars as decimal text in dollars, exact and without trailing zeros: 12345678901 is '12.345678901'.
create or replace function dollars(p_nanos bigint)
returns text
language sql immutable parallel safe
as $$ select trim_scale(p_nanos * 0.000000001)::text $$;
