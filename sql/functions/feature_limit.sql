-- How many features of a tenant are counted one by one. A usage read lists them all, so this bounds what it costs.
create or replace function feature_limit()
returns int
language sql immutable parallel safe
as $$ select 1000 $$;
