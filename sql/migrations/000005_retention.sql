-- Minutes before this moment may be gone too; `verify` compares only what comes after it.
alter table event_retention add column rollups_pruned_before timestamptz not null default '-infinity';

-- Pruning needs exact places. A block range that was emptied and filled again spans old and new times for ever, so
-- after one retention the BRIN index matches the whole table: 600 ms per prune at 6 million events, and more than a
-- statement may take at 50. A b-tree takes 25 ms, 29 bytes per event, and no time that the bench can see.
drop index events_created_at;
create index events_created_at on events (created_at);
