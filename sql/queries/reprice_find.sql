-- The next events that may be priced again. $1: tenant id or null: of all, $2: from, $3: to (half-open), $4: model or
-- null, $5: tenant and $6: event to start after, or null, $7: how many are looked at. Per tenant, those whose
-- cost can be computed, and their models. The last of those looked at is in every row: there is one even if none fits.
with looked as materialized (
  select e.tenant_id, e.id, e.created_at, e.model,
         e.model is not null and e.input_tokens is not null and (e.cost_nanos is null or e.price_number is not null)
           and e.created_at >= $2::timestamptz and e.created_at < $3::timestamptz
           and ($4::text is null or e.model = $4::text) as fits
  from events e
  where ($1::uuid is null or e.tenant_id = $1::uuid)
    and ($5::uuid is null or (e.tenant_id, e.id) > ($5::uuid, $6::uuid))
  order by e.tenant_id, e.id
  limit $7::int
),
last as (
  select count(*)::int as looked, (array_agg(tenant_id order by tenant_id desc, id desc))[1] as last_tenant,
         (array_agg(id order by tenant_id desc, id desc))[1] as last_id
  from looked
)
select l.looked, l.last_tenant, l.last_id, f.tenant_id, f.ids, f.models
from last l
left join (
  select tenant_id, array_agg(id order by id) as ids, array_agg(distinct model) as models
  from looked where fits group by tenant_id
) as f on true
order by f.tenant_id
