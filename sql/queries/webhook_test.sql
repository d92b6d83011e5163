-- $1: webhook id. A delivery without an alert is a test message.
insert into deliveries (tenant_id, webhook_id) select tenant_id, id from webhooks where id = $1::uuid returning id
