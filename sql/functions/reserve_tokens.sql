-- Reserves tokens: a JSON array of wanted_reservation, in its order. Each takes its tokens from every counter that
-- concerns its feature, or from none: granted when all hard quotas have room for it (total + reserved + tokens <=
-- limit). The counters are locked before they are read, so nobody else can take what was seen to be free. A key (null:
-- none) stands for one reservation as long as that is held or settled: it is answered again and takes nothing. Once
-- released or lapsed, its tokens are somebody else's: the key asks anew, and what it gets has a new id. With
-- `p_lapses`, what has expired is given back first: where no settlement waits in a stream (lapse_or_prolong). A tenant
-- that does not exist has no row in the answer. Returns one row per place in the array, from 1: what remains of the
-- tightest quota (the hard one with the least left; if none is hard, the soft one); until when the tokens are held, or
-- null if they are refused; for a known key, how its reservation was made (`known`); and the quota that has no room for
-- it (`refused_by`). Raises 40001 (serialization_failure) when another transaction has made the same reservation
-- meanwhile: try again.
--
-- Locks: tenants, reservations that are known or lapse, counters, each by key. What lapses gives back its tokens where
-- the counters are locked already.
create or replace function reserve_tokens(p_wanted jsonb, p_lapses boolean)
returns table (place int, remaining bigint, expires_at timestamptz, known jsonb, refused_by jsonb)
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
  v_n int;
  v_tightest int;
  v_made bigint;
begin
  perform from tenants t where t.id in (select distinct w.tenant_id from unnest(v_wanted) as w) order by t.id for share;
  v_lapsed := array(select h from lapse_or_prolong(v_wanted, p_lapses) as h);
  v_counters := array(
    select c
    from lock_counters(v_lapsed || array(
      select row(w.tenant_id, w.feature, date_bin('15 minutes', w.created_at, timestamptz 'epoch'), w.tokens)::hold
      from unnest(v_wanted) as w
    )) as c
  );
  v_rooms := array(
    select c.token_limit - c.total_tokens - c.reserved_tokens + coalesce(sum(h.tokens), 0)
    from unnest(v_counters) as c
    left join unnest(v_lapsed) as h
      on h.tenant_id = c.tenant_id and (c.feature is null or h.feature = c.feature)
        and h.quarter >= c.period_start and h.quarter < c.period_end
    group by c.tenant_id, c.quota_id, c.period_start, c.token_limit, c.total_tokens, c.reserved_tokens
    order by c.tenant_id, c.quota_id, c.period_start
  );

  for v_item in
    with wanted as (
      select w.*, date_bin('15 minutes', w.created_at, timestamptz 'epoch') as quarter
      from unnest(v_wanted)
        with ordinality as w (tenant_id, id, key, feature, tokens, created_at, ttl_seconds, place)
    ),
    concerned as (
      select w.place, array_agg(c.n) as counters, array_agg(c.n order by c.n) filter (where c.hard) as hard_counters
      from wanted w
      join unnest(v_counters) with ordinality as c (
        tenant_id, quota_id, feature, period, hard, token_limit, period_start, period_end, total_tokens,
        reserved_tokens, n
      ) on c.tenant_id = w.tenant_id and (c.feature is null or c.feature = w.feature)
        and w.quarter >= c.period_start and w.quarter < c.period_end
      group by 1
    )
    select w.place, w.tokens, c.counters, c.hard_counters,
           coalesce(k.expires_at, now() + w.ttl_seconds * interval '1 second') as expires_at,
           case when k.id is not null then
             jsonb_build_object('id', k.id, 'feature', k.feature, 'tokens', k.tokens, 'created_at', k.created_at)
           end as known
    from wanted w
    join concerned c using (place)
    left join reservations k
      on k.tenant_id = w.tenant_id and k.idempotency_key = w.key and k.status in ('held', 'settled')
    order by w.place
  loop
    v_tightest := null;
    foreach v_n in array coalesce(v_item.hard_counters, v_item.counters) loop
      if v_tightest is null or v_rooms[v_n] < v_rooms[v_tightest] then
        v_tightest := v_n;
      end if;
    end loop;

    place := v_item.place;
    known := v_item.known;
    expires_at := v_item.expires_at;
    refused_by := null;
    if known is null and v_item.hard_counters is not null and v_item.tokens > v_rooms[v_tightest] then
      expires_at := null;
      refused_by := to_jsonb(v_counters[v_tightest]) || jsonb_build_object(
        'reserved_tokens',
        v_counters[v_tightest].token_limit - v_counters[v_tightest].total_tokens - v_rooms[v_tightest]
      );
    elsif known is null then
      v_granted := v_granted || v_wanted[place];
      foreach v_n in array v_item.counters loop
        v_rooms[v_n] := v_rooms[v_n] - v_item.tokens;
      end loop;
    end if;
    remaining := greatest(v_rooms[v_tightest], 0);
    return next;
  end loop;

  insert into reservations as r (tenant_id, id, idempotency_key, feature, tokens, created_at, expires_at)
  select g.tenant_id, g.id, g.key, g.feature, g.tokens, g.created_at, now() + g.ttl_seconds * interval '1 second'
  from unnest(v_granted) as g
  order by g.tenant_id, g.key, g.id
  on conflict (tenant_id, idempotency_key) do update
  set id = excluded.id, status = 'held', feature = excluded.feature, tokens = excluded.tokens,
      created_at = excluded.created_at, expires_at = excluded.expires_at
  where r.status in ('released', 'lapsed');
  get diagnostics v_made = row_count;
  if v_made < cardinality(v_granted) then
    raise serialization_failure using message = 'the same reservation was made at the same time';
  end if;

  update usage_periods u
  set reserved_tokens = c.token_limit - c.total_tokens - c.room
  from unnest(v_counters, v_rooms) as c (
    tenant_id, quota_id, feature, period, hard, token_limit, period_start, period_end, total_tokens,
    reserved_tokens, room
  )
  where u.tenant_id = c.tenant_id and u.quota_id = c.quota_id and u.period_start = c.period_start
    and c.room <> c.token_limit - c.total_tokens - c.reserved_tokens;
end
$$;
