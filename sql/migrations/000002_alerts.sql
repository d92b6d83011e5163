-- At which percentages of its quota people are told. quota_version counts the changes of monthly_quota.
alter table tenants
  add column thresholds int[] not null default '{80,100}'
    check (cardinality(thresholds) between 1 and 10 and 1 <= all (thresholds) and 1000 >= all (thresholds)),
  add column quota_version int not null default 1;

-- Who is told. `secret` signs (kind standard); `previous_secret` signs too until it expires, for a rotation without a
-- gap. `host` is the URL's, with its port: no receiver gets more than its share of the sender. No foreign key to
-- tenants, as elsewhere.
create table webhooks (
  tenant_id uuid not null,
  id uuid not null default gen_random_uuid(),
  position bigint generated always as identity,
  kind text not null check (kind in ('slack', 'standard')),
  url text not null,
  host text not null,
  secret text,
  previous_secret text,
  previous_secret_expires_at timestamptz,
  enabled boolean not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, id)
);

create index webhooks_id on webhooks (id);
create index webhooks_position on webhooks (position);

-- One row per crossing; the key is what makes it one. `position` is the order of crossing.
create table alerts (
  tenant_id uuid not null,
  quota_id uuid not null,
  period_start timestamptz not null,
  threshold int not null,
  quota_version int not null,
  id uuid not null default gen_random_uuid(),
  position bigint generated always as identity,
  period_end timestamptz not null,
  token_limit bigint not null,
  total_tokens bigint not null,
  created_at timestamptz not null default now(),
  primary key (tenant_id, quota_id, period_start, threshold, quota_version),
  unique (tenant_id, id)
);

create index alerts_position on alerts (position);

-- The outbox: one row per alert and webhook; without an alert it is a test message. The id stays the same on every try.
-- pending: due at next_attempt_at. sending: claimed until next_attempt_at, then due again. delivered and dead: at rest.
create table deliveries (
  tenant_id uuid not null,
  id uuid not null default gen_random_uuid(),
  position bigint generated always as identity,
  webhook_id uuid not null,
  alert_id uuid,
  status text not null default 'pending' check (status in ('pending', 'sending', 'delivered', 'dead')),
  attempts int not null default 0,
  next_attempt_at timestamptz default now(),
  response_status int,
  reason text,
  created_at timestamptz not null default now(),
  finished_at timestamptz,
  primary key (tenant_id, id),
  foreign key (tenant_id, webhook_id) references webhooks (tenant_id, id) on delete cascade,
  foreign key (tenant_id, alert_id) references alerts (tenant_id, id)
);

create index deliveries_position on deliveries (position);
create index deliveries_due on deliveries (next_attempt_at) where status in ('pending', 'sending');
create index deliveries_oldest on deliveries (created_at) where status in ('pending', 'sending');
create index deliveries_open on deliveries (tenant_id, webhook_id, position) where status in ('pending', 'sending');

-- Their arguments or results change; the new ones come from sql/functions, in the same transaction.
drop function if exists record_events(uuid[], uuid[], text[], bigint[], timestamptz[], timestamptz[]);
drop function if exists create_tenant(text, bigint, int, text);
drop function if exists update_tenant(uuid, text, bigint, int, text);
