-- Takes the next minutes of a rebuild, some `batch` rows of rollups, into the counters to be; when none is left, those come into use.
-- Returns whether there is more to do. The tenant's row is locked against record_events, which adds what it records for minutes
-- that were taken (rebuild_follow); so each event is counted by exactly one of both.
-- 20,000 rows take 10 to 50 ms: so long an event of this tenant waits.
create or replace function rebuild_step(tenant uuid, batch int default 20000)
returns boolean
language plpgsql
as $$
declare
  job tenant_rebuilds;
  first timestamptz;
  until timestamptz;
  period record;
  rest bigint := batch;
  taken bigint;
begin
  perform from tenants where id = tenant for no key update;
  select * into job from tenant_rebuilds where tenant_id = tenant;
  if not found then
    return false;
  end if;
  while rest > 0 loop
    select minute into first from rollups where tenant_id = tenant and minute >= job.counted_until order by minute limit 1;
    if not found then
      perform rebuild_finish(job);
      return false;
    end if;
    -- Of one period, and whole minutes.
    select * into period from billing_period(first, job.billing_day, job.timezone);
    select minute into until from rollups
    where tenant_id = tenant and minute >= first and minute < period.period_end
    order by minute offset rest limit 1;
    until := greatest(coalesce(until, period.period_end), first + interval '1 minute');
    with taken as (
      select feature, sum(total_tokens)::bigint as tokens, sum(event_count)::bigint as events, count(*) as minutes
      from rollups
      where tenant_id = tenant and minute >= first and minute < until
      group by feature
    ),
    added as (
      insert into rebuilt_features as f (tenant_id, rebuild_id, period_start, period_end, feature, total_tokens, event_count)
      select tenant, job.id, period.period_start, period.period_end, feature, tokens, events from taken order by feature
      on conflict (tenant_id, rebuild_id, period_start, feature) do update
      set total_tokens = f.total_tokens + excluded.total_tokens,
          event_count = f.event_count + excluded.event_count
    )
    select sum(minutes) into taken from taken;
    job.counted_until := until;
    rest := rest - taken;
  end loop;
  update tenant_rebuilds set counted_until = job.counted_until where tenant_id = tenant;
  return true;
end
$$;
