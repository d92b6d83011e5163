-- The last number given by the sequence of each column that has one; null: none yet.
select t.relname::text as "table", a.attname::text as "column", pg_sequence_last_value(s.oid) as last
from pg_depend as d
join pg_class as s on s.oid = d.objid and s.relkind = 'S'
join pg_class as t on t.oid = d.refobjid
join pg_attribute as a on a.attrelid = t.oid and a.attnum = d.refobjsubid
where d.classid = 'pg_class'::regclass
  and d.refclassid = 'pg_class'::regclass
  and d.deptype in ('a', 'i')
  and t.relnamespace = (select oid from pg_namespace where nspname = current_schema())
order by 1, 2
