-- $1: tenant id, $2: id, $3: the attempt that ended, $4: new status, $5: seconds until the next try, or null,
-- $6: HTTP status or null, $7: reason or null.
-- An answer of success always counts; any other outcome only while that attempt still holds the delivery.
update deliveries
set status = $4::text, next_attempt_at = now() + $5::float8 * interval '1 second', response_status = $6::int,
    reason = $7::text, finished_at = case when $4::text in ('delivered', 'dead') then now() end
where tenant_id = $1::uuid and id = $2::uuid
  and (status = 'sending' and attempts = $3::int or $4::text = 'delivered' and status <> 'delivered')
