-- Reserves what calls may come to: a JSON array of wanted_reservation, in its order. Each takes its tokens, one
-- request, and the most it may cost from every counter that concerns it, or nothing from any: it is granted if all hard
-- quotas have room for it (used + held + wanted <= limit). The counters are locked before they are read, so nobody else
-- can take what was seen to be free. A key (null: none) stands for one reservation as long as that is held or settled:
-- it is answered again and takes nothing. Once released or lapsed, its tokens are somebody else's: the key asks anew,
-- and what it gets has a new id. With `p_lapses`, what has expired is given back first: where no settlement waits in a
-- stream (lapse_or_prolong). `p_catalogue`: the catalogue's prices of the models (model_prices). A tenant that does not
-- exist has no row in the answer. Returns one row per place in the array, from 1: what remains of the tightest quota,
-- in what that counts (`metric`): of the hard ones, or if there is none, of all, the one that fits the fewest such
-- calls; until when it is held, or null if it is refused; for a known key, how its reservation was made (`known`); and
-- the quota that has no room for it (`refused_by`). A hard quota of cost has no room for a call whose most is unknown
-- (`unpriced`). Raises 40001 (serialization_failure) when another transaction has made the same reservation meanwhile:
-- try again.
--
-- Locks: tenants, reservations that are known or lapse, counters, each by key. What lapses gives back its tokens where
-- the counters are locked already.
create or replace function reserve_tokens(p_wanted jsonb, p_lapses boolean, p_catalogue jsonb)
returns table (
  place int, metric text, remaining bigint, expires_at timestamptz, known jsonb, refused_by jsonb, unpriced boolean
)
language plpgsql
as $$
declare
  v_wanted wanted_reservation[] := array(
    select w from jsonb_populate_recordset(null::wanted_reservation, p_wanted) as w
  );
  v_lapsed hold[];
  v_counters quota_counter[];
  v_rooms bigint[]; -- what each counter has left
  v_granted wanted_reservation[] := '{}';
  v_item record;
  v_fits numeric; -- how many such calls a counter has room for; null: it is unknown what one takes
  v_least numeric;
  v_tightest int;
  v_is_full boolean;
  v_made bigint;
begin
  perform from tenants t where t.id in (select distinct w.tenant_id from unnest(v_wanted) as w) order by t.id for share;
  if exists (select from unnest(v_wanted) as w where w.model is not null) then
    v_wanted := price_holds(v_wanted, p_catalogue);
  end if;
  v_lapsed := array(select h from lapse_or_prolong(v_wanted, p_lapses) as h);
  v_counters := array(
    select c
    from lock_counters(v_lapsed || array(
      select row(
        w.tenant_id, w.feature, date_bin('15 minutes', w.created_at, timestamptz 'epoch'), w.tokens, w.model,
        w.user_id, w.cost_nanos
      )::hold
      from unnest(v_wanted) as w
    )) as c
  );
  v_rooms := array(
    select c.token_limit - c.total_tokens - c.reserved_tokens
             + coalesce(
                 sum(in_metric(c.metric, h.tokens, 1, coalesce(h.cost_nanos, 0))) filter (where h.tokens is not null), 0
               )
    from unnest(v_counters) as c
    left join unnest(v_lapsed) as h
      on h.tenant_id = c.tenant_id and (c.feature is null or h.feature = c.feature)
        and (c.model is null or h.model = c.model) and (c.user_id = '' or h.user_id = c.user_id)
        and h.quarter >= c.period_start and h.quarter < c.period_end
    group by c.tenant_id, c.quota_id, c.period_start, c.user_id, c.token_limit, c.total_tokens, c.reserved_tokens
    order by c.tenant_id, c.quota_id, c.period_start, c.user_id
  );

  for v_item in
    with wanted as (
      select w.*, date_bin('15 minutes', w.created_at, timestamptz 'epoch') as quarter
      from unnest(v_wanted) with ordinality as w (
        tenant_id, id, key, feature, tokens, created_at, ttl_seconds, model, user_id, input_tokens, output_tokens,
        cost_nanos, place
      )
    ),
    concerned as (
      select w.place, array_agg(c.n order by c.n) as counters,
             array_agg(in_metric(c.metric, w.tokens, 1, w.cost_nanos) order by c.n) as amounts,
             array_agg(c.hard order by c.n) as hard
      from wanted w
      join unnest(v_counters) with ordinality as c (
        tenant_id, quota_id, feature, period, hard, token_limit, period_start, period_end, total_tokens,
        reserved_tokens, metric, model, user_id, n
      ) on c.tenant_id = w.tenant_id and (c.feature is null or c.feature = w.feature)
        and (c.model is null or c.model = w.model) and (c.user_id = '' or c.user_id = w.user_id)
        and w.quarter >= c.period_start and w.quarter < c.period_end
      group by 1
    )
    select w.place, c.counters, c.amounts, c.hard, true = any (c.hard) as is_hard,
           coalesce(k.expires_at, now() + w.ttl_seconds * interval '1 second') as expires_at,
           case when k.id is not null then
             jsonb_build_object(
               'id', k.id, 'feature', k.feature, 'tokens', k.tokens, 'created_at', k.created_at, 'model', k.model,
               'user_id', k.user_id
             )
           end as known
    from wanted w
    join concerned c using (place)
    left join reservations k
      on k.tenant_id = w.tenant_id and k.idempotency_key = w.key and k.status in ('held', 'settled')
    order by w.place
  loop
    place := v_item.place;
    known := v_item.known;
    expires_at := v_item.expires_at;
    refused_by := null;
    unpriced := false;
    v_is_full := false;
    v_tightest := null;
    for v_i in 1 .. cardinality(v_item.counters) loop
      continue when v_item.is_hard and not v_item.hard[v_i];
      v_fits := v_rooms[v_item.counters[v_i]] / greatest(v_item.amounts[v_i], 1)::numeric;
      if v_item.is_hard and known is null and v_item.amounts[v_i] is null then
        unpriced := true;
        v_tightest := v_i;
        exit;
      elsif v_tightest is null or v_fits < v_least then
        v_tightest := v_i;
        v_least := v_fits;
      end if;
    end loop;

    -- What soft quotas count may go far beyond their limit, but not beyond what 64 bits hold: that would fail for all.
    for v_i in 1 .. cardinality(v_item.counters) loop
      continue when v_rooms[v_item.counters[v_i]] - coalesce(v_item.amounts[v_i], 0) > -4000000000000000000;
      v_tightest := v_i;
      v_is_full := true;
    end loop;
    if known is null and (
      v_is_full or v_item.is_hard
        and (unpriced or v_item.amounts[v_tightest] > v_rooms[v_item.counters[v_tightest]])
    ) then
      expires_at := null;
      refused_by := refused_quota(v_counters[v_item.counters[v_tightest]], v_rooms[v_item.counters[v_tightest]]);
    elsif known is null then
      v_granted := v_granted || v_wanted[place];
      for v_i in 1 .. cardinality(v_item.counters) loop
        v_rooms[v_item.counters[v_i]] := v_rooms[v_item.counters[v_i]] - coalesce(v_item.amounts[v_i], 0);
      end loop;
    end if;
    metric := (v_counters[v_item.counters[v_tightest]]).metric;
    remaining := greatest(v_rooms[v_item.counters[v_tightest]], 0);
    return next;
  end loop;

  insert into reservations as r (
    tenant_id, id, idempotency_key, feature, tokens, created_at, expires_at, model, user_id, cost_nanos
  )
  select g.tenant_id, g.id, g.key, g.feature, g.tokens, g.created_at, now() + g.ttl_seconds * interval '1 second',
         g.model, g.user_id, g.cost_nanos
  from unnest(v_granted) as g
  order by g.tenant_id, g.key, g.id
  on conflict (tenant_id, idempotency_key) do update
  set id = excluded.id, status = 'held', feature = excluded.feature, tokens = excluded.tokens,
      created_at = excluded.created_at, expires_at = excluded.expires_at, model = excluded.model,
      user_id = excluded.user_id, cost_nanos = excluded.cost_nanos
  where r.status in ('released', 'lapsed');
  get diagnostics v_made = row_count;
  if v_made < cardinality(v_granted) then
    raise serialization_failure using message = 'the same reservation was made at the same time';
  end if;

  update usage_periods u
  set reserved_tokens = c.token_limit - c.total_tokens - c.room
  from unnest(v_counters, v_rooms) as c (
    tenant_id, quota_id, feature, period, hard, token_limit, period_start, period_end, total_tokens,
    reserved_tokens, metric, model, user_id, room
  )
  where u.tenant_id = c.tenant_id and u.quota_id = c.quota_id and u.period_start = c.period_start
    and u.user_id = c.user_id and c.room <> c.token_limit - c.total_tokens - c.reserved_tokens;
end
$$;
