import { dashboard, sql } from './_panels.ts'

const OPEN_PERIODS = `
from tenants t
cross join lateral billing_period(now(), t.billing_day, t.timezone) p
left join usage_periods u on u.tenant_id = t.id and u.quota_id = t.id and u.period_start = p.period_start`

/** What tenants use, for those who sell it. Straight from PostgreSQL, with a role that can read only this. */
export default dashboard(
  'flagmeter-tenants',
  'FlagMeter: tenants',
  [
    sql(
      'Tokens today (UTC)',
      `select coalesce(sum(total_tokens), 0) as tokens from rollups where minute >= date_trunc('day', now(), 'UTC')`,
      { type: 'stat' },
    ),
    sql('Tenants', 'select count(*) as tenants from tenants', { type: 'stat' }),
    sql(
      'Tenants at 80 % of their quota',
      `select count(*) filter (where u.total_tokens >= 0.8 * t.monthly_quota) as tenants ${OPEN_PERIODS}`,
      { type: 'stat' },
    ),
    sql(
      'Open billing periods',
      `select t.name as tenant, coalesce(u.total_tokens, 0) as tokens, t.monthly_quota as quota,
       floor(10000.0 * coalesce(u.total_tokens, 0) / t.monthly_quota) / 100 as percent,
       p.period_end as "period ends" ${OPEN_PERIODS}
order by percent desc limit 100`,
      { type: 'table', width: 12 },
    ),
    sql(
      'Tokens per hour, the ten largest tenants',
      `with largest as (
  select tenant_id from rollups where $__timeFilter(minute) group by 1 order by sum(total_tokens) desc limit 10
)
select date_trunc('hour', minute) as time, t.name as metric, sum(total_tokens)::float8 as tokens
from rollups join largest using (tenant_id) join tenants t on t.id = tenant_id
where $__timeFilter(minute)
group by 1, 2 order by 1`,
      { type: 'timeseries', width: 12 },
    ),
    sql(
      'Tokens by feature, in the time shown',
      `select feature, sum(total_tokens)::float8 as tokens from rollups
where $__timeFilter(minute) group by 1 order by 2 desc limit 20`,
      { type: 'barchart', width: 12 },
    ),
    sql(
      'Thresholds crossed',
      `select a.created_at as time, t.name as tenant, a.threshold as percent, a.total_tokens as tokens,
       a.token_limit as quota
from alerts a join tenants t on t.id = a.tenant_id order by a.position desc limit 100`,
      { type: 'table', width: 12 },
    ),
    sql(
      'Billing periods that are over',
      `select t.name as tenant, u.period_start as "from", u.period_end as "to", u.total_tokens as tokens,
       u.event_count as events
from usage_periods u join tenants t on t.id = u.tenant_id
where u.quota_id = u.tenant_id and u.period_end <= now() order by u.period_end desc, t.name limit 500`,
      { type: 'table', width: 12 },
    ),
    sql(
      'Messages to webhooks that did not arrive',
      `select d.created_at as time, t.name as tenant, d.status, d.attempts, d.reason
from deliveries d join tenants t on t.id = d.tenant_id
where d.status <> 'delivered' order by d.position desc limit 100`,
      { type: 'table', width: 12 },
    ),
  ],
  '5m',
)
