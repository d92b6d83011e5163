-- The tables, with the columns that hold data of their own.
select c.relname::text as "table", array_agg(a.attname::text order by a.attnum) as columns
from pg_class as c
join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
where c.relnamespace = (select oid from pg_namespace where nspname = current_schema())
  and c.relkind in ('r', 'p') and not c.relispartition
group by c.relname
order by c.relname
