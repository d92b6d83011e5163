-- Takes the name out of the next raw events of a tenant. $1: tenant id, $2: user, $3: the event to start after, or
-- null, $4: how many are looked at. The last of those looked at is where the next step begins.
with looked as materialized (
  select id, user_id from events
  where tenant_id = $1::uuid and ($3::uuid is null or id > $3::uuid)
  order by id limit $4::int
),
forgotten as (
  update events set user_id = '(forgotten)'
  where tenant_id = $1::uuid and id = any (array(select id from looked where user_id = $2::text))
  returning 1
)
select (select count(*)::int from looked) as looked, (select count(*)::int from forgotten) as forgotten,
       (select id from looked order by id desc limit 1) as last_id
