-- Reserves tokens, one reservation per element of the parallel arrays, in their order. Each takes its tokens from every counter
-- that concerns its feature, or from none: granted when all hard quotas have room for it (total + reserved + tokens <= limit).
-- The counters are locked before they are read, so nobody else can take what was seen to be free.
-- A key (null: none) stands for one reservation as long as that is held or settled: it is answered again and takes nothing. Once
-- released or lapsed, its tokens are somebody else's: the key asks anew, and what it gets has a new id.
-- With `lapses`, what has expired is given back first: where no settlement waits in a stream. Without, a hold that has expired and is
-- asked for by its key is prolonged.
-- A tenant that does not exist has no row in the answer.
-- Returns, by position: whether it is granted, until when, and what is left of the tightest quota (the hard one with the least
-- left; when none is hard, the soft one). All else is null unless it is needed: of a reservation that was known, how it was made;
-- of one that is refused, that quota.
-- Raises 40001 (serialization_failure) when another transaction has made the same reservation meanwhile: try again.
--
-- Locks: tenants, reservations that are known or lapse, counters, each by key. Everything is locked once and in order: a counter is
-- made and locked by the same statement, and what lapses gives back its tokens where the counters are locked already.
create or replace function reserve_tokens(
  tenant_ids uuid[], ids uuid[], keys uuid[], features text[], tokens bigint[], created_ats timestamptz[], ttl_seconds int[],
  lapses boolean
)
returns table (
  "position" int, granted boolean, expires_at bigint, remaining bigint,
  known_id uuid, known_feature text, known_tokens bigint, known_at bigint,
  quota_id uuid, feature text, period text, hard boolean, token_limit bigint, period_start timestamptz, period_end timestamptz,
  total_tokens bigint, reserved_tokens bigint
)
language plpgsql
as $$
#variable_conflict use_column
declare
  item record;
  n int;
  tightest int;
  room bigint;
  is_granted boolean[] := array_fill(false, array[cardinality(ids)]);
  k_tenants uuid[]; k_ids uuid[];
  l_tenants uuid[]; l_features text[]; l_quarters timestamptz[]; l_tokens bigint[];
  c_tenants uuid[]; c_quotas uuid[]; c_starts timestamptz[]; c_ends timestamptz[]; c_features text[]; c_periods text[];
  c_hard boolean[]; c_limits bigint[]; c_totals bigint[]; c_reserved bigint[];
  expected bigint := 0;
  made bigint;
begin
  perform from tenants t where t.id = any (tenant_ids) order by t.id for share;

  -- The reservations concerned: those that are known by their keys, and those that lapse.
  select array_agg(k.tenant_id), array_agg(k.id)
  into k_tenants, k_ids
  from (
    select r.tenant_id, r.id
    from unnest(tenant_ids, keys) as g (tenant_id, key) join reservations r on r.tenant_id = g.tenant_id and r.idempotency_key = g.key
    union
    (
      select r.tenant_id, r.id from reservations r
      where lapses and r.status = 'held' and r.expires_at <= now() and r.tenant_id = any (tenant_ids)
      order by r.expires_at limit 1000
    )
  ) as k;
  if k_ids is not null then
    perform from reservations
    where (tenant_id, id) in (select * from unnest(k_tenants, k_ids))
    order by tenant_id, id for update;
    if lapses then
      select array_agg(l.tenant_id), array_agg(l.feature), array_agg(l.quarter), array_agg(l.tokens)
      into l_tenants, l_features, l_quarters, l_tokens
      from (
        select array_agg(r.tenant_id) as tenants, array_agg(r.id) as ids
        from reservations r join unnest(k_tenants, k_ids) as k (tenant_id, id) using (tenant_id, id)
        where r.status = 'held' and r.expires_at <= now()
      ) as due
      cross join lateral close_reservations(due.tenants, due.ids, 'lapsed') as l;
    else
      update reservations r
      set expires_at = now() + g.ttl_seconds * interval '1 second'
      from unnest(tenant_ids, keys, ttl_seconds) as g (tenant_id, key, ttl_seconds)
      where r.tenant_id = g.tenant_id and r.idempotency_key = g.key and r.status = 'held' and r.expires_at <= now();
    end if;
  end if;

  -- The counters concerned, in the order of their keys.
  select array_agg(c.tenant_id), array_agg(c.quota_id), array_agg(c.period_start), array_agg(c.period_end)
  into c_tenants, c_quotas, c_starts, c_ends
  from (
    select distinct q.tenant_id, q.quota_id, p.period_start, p.period_end
    from (
      select r.tenant_id, r.feature, date_bin('15 minutes', r.created_at, timestamptz 'epoch') as quarter
      from unnest(tenant_ids, features, created_ats) as r (tenant_id, feature, created_at)
      union
      select * from unnest(l_tenants, l_features, l_quarters)
    ) as r
    join tenant_quotas q on q.tenant_id = r.tenant_id
    cross join lateral counter_period(q.tenant_id, q.quota_id, r.quarter, q.period, q.billing_day, q.timezone) as p
    where (q.feature is null or q.feature = r.feature) and r.quarter >= q.counts_from
    order by 1, 2, 3
  ) as c;

  -- Made where missing, and locked all the same: a conflict locks its row also where nothing is updated.
  insert into usage_periods as u (tenant_id, quota_id, period_start, period_end, total_tokens, event_count)
  select *, 0, 0 from unnest(c_tenants, c_quotas, c_starts, c_ends)
  on conflict (tenant_id, quota_id, period_start) do update set reserved_tokens = u.reserved_tokens where false;

  select array_agg(l.feature order by l.n), array_agg(l.period order by l.n), array_agg(l.hard order by l.n),
         array_agg(l.token_limit order by l.n), array_agg(l.total_tokens order by l.n), array_agg(l.reserved_tokens order by l.n)
  into c_features, c_periods, c_hard, c_limits, c_totals, c_reserved
  from (
    select c.n, q.feature, q.period, q.hard, q.token_limit, u.total_tokens, u.reserved_tokens
    from unnest(c_tenants, c_quotas, c_starts) with ordinality as c (tenant_id, quota_id, period_start, n)
    join usage_periods u using (tenant_id, quota_id, period_start)
    join tenant_quotas q using (tenant_id, quota_id)
  ) as l;

  for item in
    select c.n, sum(l.tokens)::bigint as tokens
    from unnest(l_tenants, l_features, l_quarters, l_tokens) as l (tenant_id, feature, quarter, tokens)
    join unnest(c_tenants, c_starts, c_ends, c_features) with ordinality as c (tenant_id, period_start, period_end, feature, n)
      on c.tenant_id = l.tenant_id and (c.feature is null or c.feature = l.feature)
        and l.quarter >= c.period_start and l.quarter < c.period_end
    group by 1
  loop
    c_reserved[item.n] := c_reserved[item.n] - item.tokens;
  end loop;

  for item in
    with items as (
      select r.*, date_bin('15 minutes', r.created_at, timestamptz 'epoch') as quarter
      from unnest(tenant_ids, keys, features, tokens, created_ats, ttl_seconds)
        with ordinality as r (tenant_id, key, feature, tokens, created_at, ttl_seconds, position)
    ),
    concerned as (
      select i.tenant_id, i.feature, i.quarter, array_agg(c.n) as counters
      from (select distinct tenant_id, feature, quarter from items) as i
      join unnest(c_tenants, c_starts, c_ends, c_features) with ordinality as c (tenant_id, period_start, period_end, feature, n)
        on c.tenant_id = i.tenant_id and (c.feature is null or c.feature = i.feature)
          and i.quarter >= c.period_start and i.quarter < c.period_end
      group by 1, 2, 3
    )
    select i.*, c.counters, known.id as known_id, known.feature as known_feature, known.tokens as known_tokens,
           known.created_at as known_at, coalesce(known.expires_at, now() + i.ttl_seconds * interval '1 second') as expires_at
    from items i
    join concerned c using (tenant_id, feature, quarter)
    left join reservations known
      on known.tenant_id = i.tenant_id and known.idempotency_key = i.key and known.status in ('held', 'settled')
    order by i.position
  loop
    tightest := null;
    foreach n in array item.counters loop
      if tightest is null or c_hard[n] and not c_hard[tightest]
        or c_hard[n] = c_hard[tightest] and c_limits[n] - c_totals[n] - c_reserved[n] < room then
        tightest := n;
        room := c_limits[n] - c_totals[n] - c_reserved[n];
      end if;
    end loop;
    granted := item.known_id is not null or not c_hard[tightest] or item.tokens <= room;
    if granted and item.known_id is null then
      is_granted[item.position] := true;
      expected := expected + 1;
      room := room - item.tokens;
      foreach n in array item.counters loop
        c_reserved[n] := c_reserved[n] + item.tokens;
      end loop;
    end if;
    position := item.position;
    expires_at := extract(epoch from item.expires_at) * 1000;
    remaining := greatest(room, 0);
    known_id := item.known_id;
    known_feature := item.known_feature;
    known_tokens := item.known_tokens;
    known_at := extract(epoch from item.known_at) * 1000;
    if granted then
      quota_id := null;
    else
      quota_id := c_quotas[tightest];
      feature := c_features[tightest];
      period := c_periods[tightest];
      hard := c_hard[tightest];
      token_limit := c_limits[tightest];
      period_start := c_starts[tightest];
      period_end := c_ends[tightest];
      total_tokens := c_totals[tightest];
      reserved_tokens := c_reserved[tightest];
    end if;
    return next;
  end loop;

  insert into reservations as r (tenant_id, id, idempotency_key, feature, tokens, created_at, expires_at)
  select g.tenant_id, g.id, g.key, g.feature, g.tokens, g.created_at, now() + g.ttl_seconds * interval '1 second'
  from unnest(tenant_ids, ids, keys, features, tokens, created_ats, ttl_seconds, is_granted)
    as g (tenant_id, id, key, feature, tokens, created_at, ttl_seconds, is_granted)
  where g.is_granted
  order by g.tenant_id, g.key, g.id
  on conflict (tenant_id, idempotency_key) do update
  set id = excluded.id, status = 'held', feature = excluded.feature, tokens = excluded.tokens, created_at = excluded.created_at,
      expires_at = excluded.expires_at
  where r.status in ('released', 'lapsed');
  get diagnostics made = row_count;
  if made < expected then
    raise serialization_failure using message = 'the same reservation was made at the same time';
  end if;

  update usage_periods u
  set reserved_tokens = c.reserved
  from unnest(c_tenants, c_quotas, c_starts, c_reserved) as c (tenant_id, quota_id, period_start, reserved)
  where u.tenant_id = c.tenant_id and u.quota_id = c.quota_id and u.period_start = c.period_start and u.reserved_tokens <> c.reserved;
end
$$;
