-- Quotas of requests and of cost, of one model, and of each user by itself.

do $$
begin
  loop
    begin
      set local lock_timeout = '200ms';
      lock table quotas, reservations, usage_periods, alerts in access exclusive mode;
      exit;
    exception when lock_not_available then
      perform pg_sleep(0.5);
    end;
  end loop;
  set local lock_timeout = 0;
end
$$;

-- `token_limit` is in what the quota counts: tokens, requests, or nano-dollars. Of a quota by model or per user, the
-- counters are complete that began after `complete_from`: it counts from the moment when it is made.
alter table quotas
  add column metric text not null default 'tokens' check (metric in ('tokens', 'requests', 'cost')),
  add column model text,
  add column per_user boolean not null default false,
  add column complete_from timestamptz not null default now();

-- What one user may use of a quota that counts each user by itself, instead of its own limit.
create table quota_users (
  tenant_id uuid not null,
  quota_id uuid not null,
  user_id text not null,
  token_limit bigint not null check (token_limit > 0),
  version int not null default 1,
  created_at timestamptz not null default now(),
  primary key (tenant_id, quota_id, user_id)
);

-- `user_id`: whose counter it is, of a quota per user; else ''. `reserved_tokens` is in what the quota counts.
alter table usage_periods
  add column user_id text not null default '',
  drop constraint usage_periods_pkey,
  add constraint usage_periods_pkey primary key (tenant_id, quota_id, period_start, user_id);

-- `token_limit` and `total_tokens` are in what the quota counts.
alter table alerts
  add column metric text not null default 'tokens',
  add column model text,
  add column user_id text not null default '',
  drop constraint alerts_pkey,
  add constraint alerts_pkey primary key (tenant_id, quota_id, period_start, threshold, quota_version, user_id);

-- `cost_nanos`: the most that the call may cost; null: there is no price.
alter table reservations
  add column model text,
  add column user_id text,
  add column cost_nanos bigint;

alter type hold add attribute model text, add attribute user_id text, add attribute cost_nanos bigint;
alter type quota_counter add attribute metric text, add attribute model text, add attribute user_id text;
-- Of `tokens`, so many are input and output, if they are known; with a model, `cost_nanos` follows from them.
alter type wanted_reservation add attribute model text, add attribute user_id text, add attribute input_tokens bigint,
  add attribute output_tokens bigint, add attribute cost_nanos bigint;

-- What a batch adds to the counters of quotas. What is held may be negative: a hold that is given back.
create type quota_move as (
  tenant_id uuid, feature text, model text, user_id text, quarter timestamptz, tokens bigint, events bigint,
  cost_nanos bigint, priced_events bigint, held_tokens bigint, held_requests bigint, held_nanos bigint
);

-- As in 000015_usage_model.sql: what gets other parameters or columns leaves its old self beside it for a while.
do $$
declare
  v_function record;
begin
  for v_function in
    select p.oid::regprocedure as signature, p.proname as name
    from pg_proc p
    where p.pronamespace = current_schema()::regnamespace
      and p.proname in ('quotas_at', 'reached_thresholds')
  loop
    execute format('alter function %s rename to %I', v_function.signature, 'retired_17_' || v_function.name);
  end loop;
end
$$;

-- Servers of the release before record events by this one, in whose place there is another one now.
create or replace function raise_alert(
  p_tenant uuid, p_quota uuid, p_feature text, p_period text, p_period_start timestamptz, p_period_end timestamptz,
  p_threshold int, p_quota_version int, p_token_limit bigint, p_total_tokens bigint
)
returns void
language sql
as $$
  select raise_alert(
    p_tenant, p_quota, '', p_feature, null, 'tokens', p_period, p_period_start, p_period_end, p_threshold,
    p_quota_version, p_token_limit, p_total_tokens
  )
$$;
-- And they reserve by this one.
create or replace function reserve_tokens(p_wanted jsonb, p_lapses boolean)
returns table (place int, remaining bigint, expires_at timestamptz, known jsonb, refused_by jsonb)
language sql
as $$
  select r.place, r.remaining, r.expires_at, r.known, r.refused_by from reserve_tokens(p_wanted, p_lapses, '[]') as r
$$;
