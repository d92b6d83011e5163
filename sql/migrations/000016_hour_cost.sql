-- As in rollups. The lock is 000015_usage_model.sql's.
alter table usage_hours
  add column cost_nanos bigint not null default 0,
  add column priced_events bigint not null default 0;
