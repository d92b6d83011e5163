-- How many test messages a webhook had lately: a delivery without an alert is one.
create index deliveries_tests on deliveries (tenant_id, webhook_id, created_at) where alert_id is null;
