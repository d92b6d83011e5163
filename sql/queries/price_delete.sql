-- $1: id. Events keep the price that they were priced by.
update prices set deleted_at = now() where id = $1::uuid and catalogue is null and deleted_at is null returning id
