-- Creates a tenant as tenant_create does, with an example of a Slack webhook: $6 is its URL, $7 its host. Disabled.
with created as (
  select * from create_tenant($1::text, $2::bigint, $3::int, $4::text, $5::int[])
)
insert into webhooks (tenant_id, kind, url, host, enabled)
select id, 'slack', $6::text, $7::text, false from created
returning tenant_id
