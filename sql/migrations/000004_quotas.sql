-- The monthly quota may be soft too, and a tenant says what to answer while PostgreSQL is away.
alter table tenants
  add column monthly_hard boolean not null default true,
  add column fail_mode text not null default 'default' check (fail_mode in ('default', 'open', 'closed'));

-- Quotas beside the monthly one. feature null: of all features. counts_from is the start of the first period it counts:
-- older events leave its counters alone. version counts the changes of token_limit.
create table quotas (
  tenant_id uuid not null,
  id uuid not null default gen_random_uuid(),
  position bigint generated always as identity,
  feature text,
  period text not null check (period in ('hour', 'day', 'week', 'month')),
  token_limit bigint not null check (token_limit > 0),
  hard boolean not null,
  thresholds int[] not null
    check (cardinality(thresholds) between 1 and 10 and 1 <= all (thresholds) and 1000 >= all (thresholds)),
  version int not null default 1,
  counts_from timestamptz not null default '-infinity',
  created_at timestamptz not null default now(),
  primary key (tenant_id, id)
);

create index quotas_id on quotas (id);
create index quotas_position on quotas (position);

-- Tokens set aside before they are spent. Held until settled, released or lapsed; its hold stands in reserved_tokens of
-- every counter that concerns its feature at created_at. The id is also the id of the event that settles it.
create table reservations (
  tenant_id uuid not null,
  id uuid not null,
  feature text not null,
  tokens bigint not null check (tokens > 0),
  status text not null default 'held' check (status in ('held', 'settled', 'released', 'lapsed')),
  created_at timestamptz not null,
  expires_at timestamptz not null,
  primary key (tenant_id, id)
) with (fillfactor = 70);

create index reservations_held on reservations (expires_at) where status = 'held';
create index reservations_expires_at on reservations using brin (expires_at) with (autosummarize = on);

alter table usage_periods add column reserved_tokens bigint not null default 0;

-- What the alert was about, kept although the quota may go.
alter table alerts add column feature text, add column period text not null default 'month';

-- Their arguments or results change; the new ones come from sql/functions, in the same transaction.
drop function if exists record_events(uuid[], uuid[], text[], bigint[], timestamptz[], timestamptz[]);
drop function if exists create_tenant(text, bigint, int, text, int[]);
drop function if exists update_tenant(uuid, text, bigint, int, text, int[]);
drop function if exists raise_alert(uuid, uuid, timestamptz, timestamptz, int, int, bigint, bigint);
drop function if exists open_usage(tenants);
