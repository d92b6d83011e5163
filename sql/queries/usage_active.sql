-- $1: the moment. Who used tokens in the two minutes that the tokens per minute are made of.
select id from tenants
where exists (
  select from rollups
  where tenant_id = tenants.id
    and minute >= date_bin('1 minute', $1::timestamptz, timestamptz 'epoch') - interval '1 minute'
)
