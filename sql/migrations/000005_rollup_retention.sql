-- Minutes before this moment may be gone too; `verify` compares only what comes after it.
alter table event_retention add column rollups_pruned_before timestamptz not null default '-infinity';
