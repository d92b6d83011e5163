-- How many values of a split are counted one by one in a period, per tenant. Users are listed by the page; all else
-- whole, so this bounds what a read costs.
create or replace function split_limit(p_split text)
returns int
language sql immutable parallel safe
as $$ select case p_split when 'user' then 100000 else 1000 end $$;
