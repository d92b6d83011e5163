-- What each row of a restore would have to pass: dropped before, made again afterwards, in a third of the time.
-- In the order to make them, foreign keys last: they need the unique ones.
with tables as (
  select oid, relname from pg_class where relnamespace = (select oid from pg_namespace where nspname = current_schema())
)
select
  format('alter table %I drop constraint %I', t.relname, k.conname) as dropped,
  format('alter table %I add constraint %I %s', t.relname, k.conname, pg_get_constraintdef(k.oid)) as made,
  k.contype = 'f' as is_last
from pg_constraint as k
join tables as t on t.oid = k.conrelid
where k.contype in ('p', 'u', 'f')
union all
select format('drop index %I', i.relname), pg_get_indexdef(i.oid), false
from pg_index as x
join pg_class as i on i.oid = x.indexrelid
join tables as t on t.oid = x.indrelid
where not exists (select from pg_constraint as k where k.conindid = i.oid and k.contype in ('p', 'u'))
order by is_last
