-- Billing days and time zones that are on their way: the counters of the new periods are summed beside those in use,
-- step by step (rebuild_step). Minutes before counted_until are in rebuilt_features, under this id. actor: whom the
-- audit log names in the end.
create table tenant_rebuilds (
  tenant_id uuid primary key,
  id uuid not null default gen_random_uuid(),
  billing_day int not null,
  timezone text not null,
  actor text,
  first_minute timestamptz not null,
  counted_until timestamptz not null,
  started_at timestamptz not null default now()
) with (fillfactor = 50);

-- What usage_features will hold. Rows of a rebuild that is over, or was replaced, are deleted by `prune`.
create table rebuilt_features (
  tenant_id uuid not null,
  rebuild_id uuid not null,
  period_start timestamptz not null,
  period_end timestamptz not null,
  feature text not null,
  total_tokens bigint not null,
  event_count bigint not null,
  primary key (tenant_id, rebuild_id, period_start, feature)
) with (fillfactor = 50);

-- Webhooks that were deleted and whose deliveries are still to be deleted, in small batches, by `prune`.
create table deleted_webhooks (
  tenant_id uuid not null,
  webhook_id uuid not null,
  deleted_at timestamptz not null default now(),
  primary key (tenant_id, webhook_id)
);

-- A webhook goes at once, however many deliveries it has had.
alter table deliveries drop constraint deliveries_tenant_id_webhook_id_fkey;
create index deliveries_webhook on deliveries (tenant_id, webhook_id);

-- The key to alerts had no index: each deleted alert looked through all deliveries of its tenant.
create index deliveries_alert on deliveries (tenant_id, alert_id);

-- What retention looks for. deliveries_finished does what deliveries_dead did.
create index deliveries_finished on deliveries (finished_at) where status in ('delivered', 'dead');
drop index deliveries_dead;
create index alerts_period_end on alerts (period_end);
create index dead_letters_failed_at on dead_letters (failed_at);
create index usage_periods_period_end on usage_periods (period_end) where quota_id <> tenant_id;
