-- Tokens per hour of UTC: the pace of the last day and the line of a period, for every tenant at once, without a sum
-- over minutes.
create table usage_hours (
  tenant_id uuid not null,
  hour timestamptz not null,
  total_tokens bigint not null,
  primary key (tenant_id, hour)
) with (fillfactor = 50);

-- Batches that are being recorded end first, and those that wait for this lock go on with the new move_counters: none
-- is missed.
lock table rollups in share row exclusive mode;

insert into usage_hours (tenant_id, hour, total_tokens)
select tenant_id, date_bin('1 hour', minute, timestamptz 'epoch'), sum(total_tokens) from rollups group by 1, 2;

-- The dashboard asks how many deliveries fail, every few seconds.
create index deliveries_dead on deliveries (finished_at) where status = 'dead';
