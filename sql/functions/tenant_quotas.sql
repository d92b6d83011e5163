-- Every quota of every tenant: the monthly one, whose id is the tenant's own, and those beside it. `token_limit` is in
-- what the quota counts (`metric`).
create or replace view tenant_quotas as
select id as tenant_id, id as quota_id, null::text as feature, 'month' as period, monthly_quota as token_limit,
       monthly_hard as hard, thresholds, quota_version as version, timestamptz '-infinity' as counts_from,
       billing_day, timezone, 'tokens' as metric, null::text as model, false as per_user
from tenants
union all
select q.tenant_id, q.id, q.feature, q.period, q.token_limit, q.hard, q.thresholds, q.version, q.counts_from,
       t.billing_day, t.timezone, q.metric, q.model, q.per_user
from quotas q join tenants t on t.id = q.tenant_id;
