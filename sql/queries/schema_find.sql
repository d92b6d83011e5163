-- Finds FlagMeter in this database. `installed`: the schemas that have it; `current`: the first of these on the search
-- path, or null; `target`: the first name on the search path, where a new installation goes; `is_chosen`: whether that
-- name was set (DATABASE_SCHEMA); `target_tables`: what is in that schema now.
with installed as (
  select n.nspname::text as name
  from pg_namespace n join pg_class c on c.relnamespace = n.oid
  where c.relkind = 'r' and c.relname in ('schema_migrations', 'event_retention', 'usage_periods')
  group by 1
  having count(*) = 3
),
path as (
  select current_schemas(false)::text[] as schemas, parse_ident(split_part(setting, ',', 1)) as first,
         setting !~ ',' as is_chosen
  from current_setting('search_path') as setting
)
select array(select name from installed order by name) as installed,
       (
         select name from installed where name = any (schemas) order by array_position(schemas, name) limit 1
       ) as current,
       first[1] as target,
       is_chosen,
       exists (select from pg_namespace where nspname = first[1]) as target_exists,
       array(
         select c.relname::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname = first[1] and c.relkind in ('r', 'p', 'v', 'm', 'f') order by 1
       ) as target_tables
from path
