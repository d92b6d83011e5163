-- $1: how many events and rollups of a deleted tenant at most. Null: no deleted tenant has any left.
select prune_deleted_tenants($1::int) as deleted
