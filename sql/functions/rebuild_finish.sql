-- Brings the counters of a rebuild into use, with the billing day and time zone they were made for, and raises the alerts that are due.
-- Periods that ended before the first minute that is kept stay as they are: nothing is left to sort them anew by.
-- Every quota beside the monthly one starts again with its open period. The caller holds the tenant's row.
create or replace function rebuild_finish(job tenant_rebuilds)
returns void
language plpgsql
as $$
declare
  tenant uuid := job.tenant_id;
  told text[] := told_thresholds(job.tenant_id);
  first timestamptz;
  kept_until timestamptz;
begin
  select coalesce(min(period_start), 'infinity') into first
  from rebuilt_features where tenant_id = tenant and rebuild_id = job.id;
  select coalesce(max(period_end), '-infinity') into kept_until
  from usage_periods where tenant_id = tenant and quota_id = tenant and period_end <= first;

  perform set_config('flagmeter.actor', coalesce(job.actor, ''), true);
  update tenants set billing_day = job.billing_day, timezone = job.timezone where id = tenant;

  delete from usage_features where tenant_id = tenant and period_start >= kept_until;
  insert into usage_features (tenant_id, period_start, feature, total_tokens, event_count)
  select tenant_id, period_start, feature, total_tokens, event_count
  from rebuilt_features where tenant_id = tenant and rebuild_id = job.id;

  delete from usage_periods where tenant_id = tenant and quota_id = tenant and period_start >= kept_until;
  insert into usage_periods (tenant_id, quota_id, period_start, period_end, total_tokens, event_count, reserved_tokens)
  select tenant, tenant, period_start, period_end, sum(tokens)::bigint, sum(events)::bigint, sum(reserved)::bigint
  from (
    select period_start, period_end, total_tokens as tokens, event_count as events, 0 as reserved
    from rebuilt_features where tenant_id = tenant and rebuild_id = job.id
    union all
    select p.period_start, p.period_end, 0, 0, h.tokens
    from (
      select date_bin('15 minutes', created_at, timestamptz 'epoch') as quarter, sum(tokens) as tokens
      from reservations where tenant_id = tenant and status = 'held'
      group by 1
    ) as h
    cross join lateral billing_period(h.quarter, job.billing_day, job.timezone) as p
  ) as counted
  group by period_start, period_end;

  perform rebuild_counters(tenant);
  delete from tenant_rebuilds where tenant_id = tenant;
  perform alert_reached(tenant, told);
end
$$;
