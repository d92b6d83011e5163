-- Also fails when the database is not migrated, since events can't be accepted then either. In a shared database,
-- `tenants` may belong to another application until then; no other application has a table of this name.
select from event_retention
