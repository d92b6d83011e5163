-- Brings the counters of a rebuild into use, with the billing day and time zone they were made for, and raises the
-- alerts that are due. Periods that ended before the first minute that is kept stay as they are: nothing is left to
-- sort them by. Every additional quota starts again with its open period. The caller holds the
-- tenant's row.
create or replace function rebuild_finish(p_job tenant_rebuilds)
returns void
language plpgsql
as $$
declare
  v_tenant uuid := p_job.tenant_id;
  v_told text[] := told_thresholds(p_job.tenant_id);
  v_first timestamptz;
  v_kept_until timestamptz;
begin
  select coalesce(min(period_start), 'infinity') into v_first
  from rebuilt_features where tenant_id = v_tenant and rebuild_id = p_job.id;
  select coalesce(max(period_end), '-infinity') into v_kept_until
  from usage_periods where tenant_id = v_tenant and quota_id = v_tenant and period_end <= v_first;

  perform set_config('flagmeter.actor', coalesce(p_job.actor, ''), true);
  update tenants set billing_day = p_job.billing_day, timezone = p_job.timezone where id = v_tenant;

  delete from usage_features where tenant_id = v_tenant and period_start >= v_kept_until;
  insert into usage_features (
    tenant_id, period_start, feature, total_tokens, event_count, input_tokens, cache_read_tokens, cache_write_tokens,
    output_tokens, reasoning_tokens, cost_nanos, priced_events
  )
  select tenant_id, period_start, feature, total_tokens, event_count, input_tokens, cache_read_tokens,
         cache_write_tokens, output_tokens, reasoning_tokens, cost_nanos, priced_events
  from rebuilt_features where tenant_id = v_tenant and rebuild_id = p_job.id;

  delete from usage_splits where tenant_id = v_tenant and period_start >= v_kept_until;
  insert into usage_splits (
    tenant_id, period_start, split, value, total_tokens, event_count, input_tokens, cache_read_tokens,
    cache_write_tokens, output_tokens, reasoning_tokens, cost_nanos, priced_events
  )
  select tenant_id, period_start, split, value, total_tokens, event_count, input_tokens, cache_read_tokens,
         cache_write_tokens, output_tokens, reasoning_tokens, cost_nanos, priced_events
  from rebuilt_splits where tenant_id = v_tenant and rebuild_id = p_job.id;
  delete from split_counts where tenant_id = v_tenant and period_start >= v_kept_until;
  insert into split_counts (tenant_id, period_start, split, value_count)
  select tenant_id, period_start, split, count(*) from rebuilt_splits
  where tenant_id = v_tenant and rebuild_id = p_job.id and value <> '(other)'
  group by 1, 2, 3;

  delete from usage_periods where tenant_id = v_tenant and quota_id = v_tenant and period_start >= v_kept_until;
  insert into usage_periods (
    tenant_id, quota_id, period_start, period_end, total_tokens, event_count, cost_nanos, priced_events,
    reserved_tokens
  )
  select v_tenant, v_tenant, period_start, period_end, sum(tokens)::bigint, sum(events)::bigint,
         sum(cost)::bigint, sum(priced)::bigint, sum(reserved)::bigint
  from (
    select period_start, period_end, total_tokens as tokens, event_count as events, cost_nanos as cost,
           priced_events as priced, 0 as reserved
    from rebuilt_features where tenant_id = v_tenant and rebuild_id = p_job.id
    union all
    select p.period_start, p.period_end, 0, 0, 0, 0, h.tokens
    from (
      select date_bin('15 minutes', created_at, timestamptz 'epoch') as quarter, sum(tokens) as tokens
      from reservations where tenant_id = v_tenant and status = 'held'
      group by 1
    ) as h
    cross join lateral billing_period(h.quarter, p_job.billing_day, p_job.timezone) as p
  ) as counted
  group by period_start, period_end;

  perform rebuild_counters(v_tenant);
  delete from tenant_rebuilds where tenant_id = v_tenant;
  perform alert_reached(v_tenant, v_told);
end
$$;
