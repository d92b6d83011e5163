-- Tenants whose rebuild is under way, the oldest first.
select tenant_id from tenant_rebuilds order by started_at
