-- $1: tenant id, $2: ids of events, $3: the catalogue's prices of their models, as JSON.
select reprice_events($1::uuid, $2::uuid[], $3::text::jsonb) as repriced
