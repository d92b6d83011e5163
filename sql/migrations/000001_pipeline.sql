-- Who is metered. monthly_quota is in tokens per billing period.
create table tenants (
  id uuid primary key default gen_random_uuid(),
  name text not null unique check (length(name) between 1 and 200),
  monthly_quota bigint not null default 1000000 check (monthly_quota > 0),
  billing_day int not null default 1 check (billing_day between 1 and 31),
  timezone text not null default 'UTC',
  created_at timestamptz not null default now()
);

-- Raw events, kept for EVENT_RETENTION_DAYS. The key is the dedupe.
-- No foreign key to tenants: it would cost a look-up per row; record_events checks once per batch.
create table events (
  tenant_id uuid not null,
  id uuid not null,
  feature text not null,
  tokens bigint not null check (tokens between 1 and 1000000000),
  created_at timestamptz not null,
  received_at timestamptz not null,
  primary key (tenant_id, id)
);

-- Pruning scans by time. Events arrive nearly in order, so a block-range index is enough and costs inserts next to
-- nothing.
create index events_created_at on events using brin (created_at) with (autosummarize = on);

-- Tokens per minute. Room is left in each page of the counting tables, so that an update stays in its page (HOT).
create table rollups (
  tenant_id uuid not null,
  feature text not null,
  minute timestamptz not null,
  total_tokens bigint not null,
  event_count bigint not null,
  updated_at timestamptz not null default now(),
  primary key (tenant_id, feature, minute)
) with (fillfactor = 80);

-- A series over all features reads by minute.
create index rollups_minute on rollups (tenant_id, minute);

-- The counter a quota question is answered from: one row per quota and period. The monthly quota's id is the tenant's
-- own.
create table usage_periods (
  tenant_id uuid not null,
  quota_id uuid not null,
  period_start timestamptz not null,
  period_end timestamptz not null,
  total_tokens bigint not null,
  event_count bigint not null,
  primary key (tenant_id, quota_id, period_start)
) with (fillfactor = 50);

-- The same counter split by feature, so that the split never sums history either.
create table usage_features (
  tenant_id uuid not null,
  period_start timestamptz not null,
  feature text not null,
  total_tokens bigint not null,
  event_count bigint not null,
  primary key (tenant_id, period_start, feature)
) with (fillfactor = 50);

-- Events that can never be recorded. The id derives from the payload: what fails twice is here once.
create table dead_letters (
  id uuid primary key,
  payload text not null,
  sqlstate text,
  reason text not null,
  failed_at timestamptz not null default now()
);

-- Raw events created before this moment may be gone; `verify` compares only what comes after it.
create table event_retention (
  singleton boolean primary key default true check (singleton),
  pruned_before timestamptz not null
);

insert into event_retention (pruned_before) values ('-infinity');
