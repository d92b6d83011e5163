-- Types that functions pass to each other.

-- Tokens that a reservation holds, with the quarter of an hour in which it was made.
create type hold as (tenant_id uuid, feature text, quarter timestamptz, tokens bigint);

-- A reservation to be made. `key` is derived from the client's Idempotency-Key; null if there is none.
create type wanted_reservation as (
  tenant_id uuid, id uuid, key uuid, feature text, tokens bigint, created_at timestamptz, ttl_seconds int
);

-- A quota with its counter of one period.
create type quota_counter as (
  tenant_id uuid, quota_id uuid, feature text, period text, hard boolean, token_limit bigint,
  period_start timestamptz, period_end timestamptz, total_tokens bigint, reserved_tokens bigint
);

-- Parameters get new names, which `create or replace` can't do. The new functions come from sql/functions, in the same
-- transaction. The old ones are renamed, not dropped: a statement that has just looked one up when this commits would
-- fail ("cache lookup failed for function"). A later release drops them, and also the reserve_tokens with eight
-- parameters, which servers of the previous release still call.
do $$
declare
  v_function record;
begin
  for v_function in
    select p.oid::regprocedure as signature, p.proname as name
    from pg_proc p
    where p.pronamespace = current_schema()::regnamespace and p.pronargs > 0 and p.proname in (
      'alert_reached', 'audit_image', 'billing_period', 'check_timezone', 'close_reservations', 'counted_features',
      'counter_period', 'create_first_key', 'create_quota', 'create_tenant', 'create_test_delivery', 'create_webhook',
      'delete_quota', 'delete_tenant', 'expected_counters', 'lapse_reservations', 'move_counters', 'past_the_hour',
      'prune_alerts', 'prune_counters', 'prune_deleted_tenants', 'prune_deliveries', 'prune_events', 'prune_rollups',
      'quota_period', 'quotas_at', 'raise_alert', 'reached_thresholds', 'rebuild_counters', 'rebuild_finish',
      'rebuild_follow', 'rebuild_start', 'rebuild_step', 'record_events', 'release_reservations', 'seed_tenant',
      'tenant_usage', 'threshold_reached', 'told_thresholds', 'update_quota', 'update_tenant', 'usage_at'
    )
  loop
    execute format('alter function %s rename to %I', v_function.signature, 'retired_' || v_function.name);
  end loop;
end
$$;
