-- Takes the next minutes of a rebuild, some `p_batch` rows of rollups, into the counters to be; when none is left,
-- those come into use. Returns whether there is more to do. The tenant's row is locked against record_events, which
-- adds what it records for minutes that were taken (rebuild_follow); so each event is counted by exactly one of both.
-- 20,000 rows take 10 to 50 ms: an event of this tenant waits that long.
create or replace function rebuild_step(p_tenant uuid, p_batch int default 20000)
returns boolean
language plpgsql
as $$
declare
  v_job tenant_rebuilds;
  v_first timestamptz;
  v_until timestamptz;
  v_period record;
  v_rest bigint := p_batch;
  v_taken bigint;
begin
  perform from tenants where id = p_tenant for no key update;
  select * into v_job from tenant_rebuilds where tenant_id = p_tenant;
  if not found then
    return false;
  end if;
  while v_rest > 0 loop
    select minute into v_first
    from rollups where tenant_id = p_tenant and minute >= v_job.counted_until order by minute limit 1;
    if not found then
      perform rebuild_finish(v_job);
      return false;
    end if;
    -- Of one period, and whole quarters of an hour, as splits are.
    select * into v_period from billing_period(v_first, v_job.billing_day, v_job.timezone);
    v_first := date_bin('15 minutes', v_first, timestamptz 'epoch');
    select min(m.moment) into v_until
    from (
      (
        select minute as moment from rollups
        where tenant_id = p_tenant and minute >= v_first and minute < v_period.period_end
        order by minute offset v_rest limit 1
      )
      union all
      (
        select quarter from split_quarters
        where tenant_id = p_tenant and quarter >= v_first and quarter < v_period.period_end
        order by quarter offset v_rest limit 1
      )
    ) as m;
    v_until := date_bin('15 minutes', coalesce(v_until, v_period.period_end), timestamptz 'epoch');
    v_until := greatest(v_until, v_first + interval '15 minutes');
    perform rebuild_splits(v_job, v_period.period_start, v_first, v_until);
    with taken as (
      select feature, sum(total_tokens)::bigint as tokens, sum(event_count)::bigint as events,
             sum(input_tokens)::bigint as input, sum(cache_read_tokens)::bigint as cache_read,
             sum(cache_write_tokens)::bigint as cache_write, sum(output_tokens)::bigint as output,
             sum(reasoning_tokens)::bigint as reasoning, sum(cost_nanos)::bigint as cost,
             sum(priced_events)::bigint as priced, count(*) as minutes
      from rollups
      where tenant_id = p_tenant and minute >= v_first and minute < v_until
      group by feature
    ),
    added as (
      insert into rebuilt_features as f (
        tenant_id, rebuild_id, period_start, period_end, feature, total_tokens, event_count, input_tokens,
        cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens, cost_nanos, priced_events
      )
      select p_tenant, v_job.id, v_period.period_start, v_period.period_end, feature, tokens, events, input,
             cache_read, cache_write, output, reasoning, cost, priced
      from taken order by feature
      on conflict (tenant_id, rebuild_id, period_start, feature) do update
      set total_tokens = f.total_tokens + excluded.total_tokens,
          event_count = f.event_count + excluded.event_count,
          input_tokens = f.input_tokens + excluded.input_tokens,
          cache_read_tokens = f.cache_read_tokens + excluded.cache_read_tokens,
          cache_write_tokens = f.cache_write_tokens + excluded.cache_write_tokens,
          output_tokens = f.output_tokens + excluded.output_tokens,
          reasoning_tokens = f.reasoning_tokens + excluded.reasoning_tokens,
          cost_nanos = f.cost_nanos + excluded.cost_nanos,
          priced_events = f.priced_events + excluded.priced_events
    )
    select sum(minutes) into v_taken from taken;
    v_job.counted_until := v_until;
    v_rest := v_rest - v_taken;
  end loop;
  update tenant_rebuilds set counted_until = v_job.counted_until where tenant_id = p_tenant;
  return true;
end
$$;
