-- $1: id. Its deliveries go with it.
delete from webhooks where id = $1::uuid returning id
