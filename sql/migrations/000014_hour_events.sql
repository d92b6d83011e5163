-- Events per hour: with them a new quota of a day or a week is counted from its hours instead of all its minutes. Null:
-- not known, of hours that began before this column; those are counted from their minutes.
alter table usage_hours add column event_count bigint;
