-- $1: model, $2: tokens, $3: input and $4: output, or null, $5: when, $6: the catalogue's prices of the model, as JSON.
-- The most that such a call may cost; null: there is no price.
select h.cost_nanos
from unnest(price_holds(
  array[
    row(null, null, null, null, $2::bigint, $5::timestamptz, null, $1::text, null, $3::bigint, $4::bigint, null)
  ]::wanted_reservation[],
  $6::text::jsonb
)) as h
