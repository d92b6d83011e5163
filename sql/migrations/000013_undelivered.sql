-- Callers who may see all tenants ask for a delivery by its id alone.
create index deliveries_id on deliveries (id);

-- Finds what can be retried without reading what was delivered.
create index deliveries_undelivered on deliveries (position) where status in ('dead', 'pending');
