-- $1: id. Nobody sees or sends its deliveries any more; they go in batches, by `prune`.
delete from webhooks where id = $1::uuid returning id
