-- An event may say its model, its user, the kinds of its tokens, its cost, and dimensions that the operator declared.
-- Counters split by these, and what they cost.

-- Brief locks, taken in record_events' order, and given up when a long reader is in the way: whoever records would
-- wait behind this lock.
do $$
begin
  loop
    begin
      set local lock_timeout = '200ms';
      lock table events, rollups, usage_hours, usage_features, usage_periods, tenant_rebuilds, rebuilt_features
        in access exclusive mode;
      exit;
    exception when lock_not_available then
      perform pg_sleep(0.5);
    end;
  end loop;
  set local lock_timeout = 0;
end
$$;

-- Null: not said. Of `cache_write_tokens`, `cache_write_1h_tokens` were written for an hour, which costs more.
-- cost_nanos is in nano-dollars; null: unknown. With a cost and no price, its sender knew the cost. remainders: the
-- splits in which the event is counted in the remainder. A request that used nothing has 0 tokens.
alter table events
  add column model text,
  add column user_id text,
  add column input_tokens int,
  add column cache_read_tokens int,
  add column cache_write_tokens int,
  add column cache_write_1h_tokens int,
  add column output_tokens int,
  add column reasoning_tokens int,
  add column price_number int,
  add column cost_nanos bigint,
  add column dimensions jsonb,
  add column remainders text[],
  drop constraint events_tokens_check,
  add constraint events_tokens_check check (tokens between 0 and 1000000000) not valid; -- wider, so all are valid

-- priced_events: how many are in cost_nanos; the cost of the others is unknown.
alter table rollups
  add column input_tokens bigint not null default 0,
  add column cache_read_tokens bigint not null default 0,
  add column cache_write_tokens bigint not null default 0,
  add column output_tokens bigint not null default 0,
  add column reasoning_tokens bigint not null default 0,
  add column cost_nanos bigint not null default 0,
  add column priced_events bigint not null default 0;

alter table usage_features
  add column input_tokens bigint not null default 0,
  add column cache_read_tokens bigint not null default 0,
  add column cache_write_tokens bigint not null default 0,
  add column output_tokens bigint not null default 0,
  add column reasoning_tokens bigint not null default 0,
  add column cost_nanos bigint not null default 0,
  add column priced_events bigint not null default 0;

alter table rebuilt_features
  add column input_tokens bigint not null default 0,
  add column cache_read_tokens bigint not null default 0,
  add column cache_write_tokens bigint not null default 0,
  add column output_tokens bigint not null default 0,
  add column reasoning_tokens bigint not null default 0,
  add column cost_nanos bigint not null default 0,
  add column priced_events bigint not null default 0;

alter table usage_periods
  add column cost_nanos bigint not null default 0,
  add column priced_events bigint not null default 0;

-- Rebuilds take whole quarters of an hour from now on: those that are under way start again.
update tenant_rebuilds
set id = gen_random_uuid(),
    first_minute = date_bin('15 minutes', first_minute, timestamptz 'epoch'),
    counted_until = date_bin('15 minutes', first_minute, timestamptz 'epoch');

-- What usage_features is for features, for every other split: 'model', 'user', or the name of a dimension. `magnitude`
-- grows with the tokens and changes seldom: the index lists the largest first, and most updates still stay in their
-- page (HOT). Its condition always holds. It keeps the planner from looking up single values in this index, one by one
-- among all of their split. Names are compared byte by byte, which takes a fraction of the time.
create table usage_splits (
  tenant_id uuid not null,
  period_start timestamptz not null,
  split text collate "C" not null,
  value text collate "C" not null,
  total_tokens bigint not null,
  event_count bigint not null,
  input_tokens bigint not null,
  cache_read_tokens bigint not null,
  cache_write_tokens bigint not null,
  output_tokens bigint not null,
  reasoning_tokens bigint not null,
  cost_nanos bigint not null,
  priced_events bigint not null,
  magnitude smallint generated always as ((ln(total_tokens + 1) * 4)::smallint) stored,
  primary key (tenant_id, period_start, split, value)
) with (fillfactor = 50);

create index usage_splits_largest on usage_splits (tenant_id, period_start, split, magnitude desc) where magnitude >= 0;

-- How many values of a split count by themselves in a period: at most `split_limit(split)`, all others together.
create table split_counts (
  tenant_id uuid not null,
  period_start timestamptz not null,
  split text collate "C" not null,
  value_count int not null,
  primary key (tenant_id, period_start, split)
) with (fillfactor = 50);

-- What rollups are for features, for every other split. A quarter of an hour: every period of every time zone begins at
-- one, and users are many.
create table split_quarters (
  tenant_id uuid not null,
  split text collate "C" not null,
  value text collate "C" not null,
  quarter timestamptz not null,
  total_tokens bigint not null,
  event_count bigint not null,
  input_tokens bigint not null,
  cache_read_tokens bigint not null,
  cache_write_tokens bigint not null,
  output_tokens bigint not null,
  reasoning_tokens bigint not null,
  cost_nanos bigint not null,
  priced_events bigint not null,
  primary key (tenant_id, split, value, quarter)
) with (fillfactor = 80);

create index split_quarters_quarter on split_quarters (tenant_id, quarter);

-- As rebuilt_features, of usage_splits.
create table rebuilt_splits (
  tenant_id uuid not null,
  rebuild_id uuid not null,
  period_start timestamptz not null,
  split text collate "C" not null,
  value text collate "C" not null,
  total_tokens bigint not null,
  event_count bigint not null,
  input_tokens bigint not null,
  cache_read_tokens bigint not null,
  cache_write_tokens bigint not null,
  output_tokens bigint not null,
  reasoning_tokens bigint not null,
  cost_nanos bigint not null,
  priced_events bigint not null,
  primary key (tenant_id, rebuild_id, period_start, split, value)
) with (fillfactor = 50);

-- What a model costs from a moment on. The operator's own: `model` is a name, or a beginning with * behind it. Of the
-- catalogue: the rows that events were priced by; `model` is the provider's, and `catalogue` says which edition.
-- Never changed and never deleted, since events name them by `number`, which is shorter than `id`; a price that was
-- deleted, or replaced, has deleted_at. `rates`: nano-dollars
-- per million tokens, as price_rates reads them.
create table prices (
  number int generated always as identity primary key,
  id uuid not null unique default gen_random_uuid(),
  model text not null,
  catalogue text,
  effective_from timestamptz not null default '-infinity',
  rates jsonb not null,
  created_at timestamptz not null default now(),
  deleted_at timestamptz
);

create unique index prices_own on prices (model, effective_from) where catalogue is null and deleted_at is null;
create index prices_beginnings on prices (model)
  where catalogue is null and deleted_at is null and right(model, 1) = '*';
create unique index prices_catalogue on prices (catalogue, model, effective_from) where catalogue is not null;

-- What a batch adds to counters: of one feature, or of one value of another split.
create type usage_move as (
  tenant_id uuid, split text collate "C", value text collate "C", moment timestamptz, total_tokens bigint,
  event_count bigint, input_tokens bigint, cache_read_tokens bigint, cache_write_tokens bigint, output_tokens bigint,
  reasoning_tokens bigint, cost_nanos bigint, priced_events bigint
);

-- An event of a batch that says more than its feature and its tokens. `place`, from 1, is its place in the batch.
create type event_detail as (
  place int, model text, user_id text, input_tokens int, cache_read_tokens int, cache_write_tokens int,
  cache_write_1h_tokens int, output_tokens int, reasoning_tokens int, dimensions jsonb, cost_nanos bigint,
  price_number int, remainders text[]
);

-- A value of a split, in a period, with the places of a batch's events that have it.
create type split_value as (
  tenant_id uuid, period_start timestamptz, split text collate "C", value text collate "C", places int[]
);

-- The price that was found for an event, and what it costs; without a number, one of the catalogue, which may not be in
-- `prices` yet.
create type price_found as (
  place int, number int, catalogue text, name text, effective_from timestamptz, rates jsonb, cost_nanos bigint
);

-- record_events, move_counters and rebuild_follow get other parameters, so the old ones stay beside the new: servers of
-- the previous release still call them. Others return more columns, which `create or replace` can't do: the old ones
-- are renamed, as in 000012_names.sql. A later release drops them all.
do $$
declare
  v_function record;
begin
  for v_function in
    select p.oid::regprocedure as signature, p.proname as name
    from pg_proc p
    where p.pronamespace = current_schema()::regnamespace
      and p.proname in ('expected_counters', 'tenant_usage', 'usage_at')
  loop
    execute format('alter function %s rename to %I', v_function.signature, 'retired_15_' || v_function.name);
  end loop;
end
$$;
