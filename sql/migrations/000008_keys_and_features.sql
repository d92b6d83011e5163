-- The Idempotency-Key of a reservation, as a UUID of its tenant. It was the id itself; now ids are random, so that
-- nobody can name one before it is made, and a key whose tokens were given back can take tokens again under a new id.
alter table reservations add column idempotency_key uuid;
update reservations set idempotency_key = id where substr(id::text, 15, 1) = '5'; -- UUIDv5: made from a key
create unique index reservations_idempotency_key on reservations (tenant_id, idempotency_key);

-- They are kept as long as events now, and pruning needs exact places then (000005_retention.sql).
drop index reservations_expires_at;
create index reservations_expires_at on reservations (expires_at);

-- The features that a tenant's tokens are counted under, at most `feature_limit()`; all others are counted together.
create table features (
  tenant_id uuid not null,
  feature text not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, feature)
);

insert into features (tenant_id, feature)
select tenant_id, feature
from (
  select tenant_id, feature, row_number() over (partition by tenant_id order by sum(total_tokens) desc, feature) as n
  from usage_features
  group by 1, 2
) as used
where n <= 1000
union
select tenant_id, feature from quotas where feature is not null;

-- As what an event is counted, where that is not its own feature.
alter table events add column counted_as text;

-- Their arguments or results change; the new ones come from sql/functions, in the same transaction.
drop function if exists record_events(uuid[], uuid[], text[], bigint[], timestamptz[], timestamptz[], boolean[]);
drop function if exists reserve_tokens(uuid[], uuid[], text[], bigint[], timestamptz[], int[], boolean);
