/** What documents of the API look like: the examples of its OpenAPI description. */
const TENANT = '0d5f3f52-3c0f-4a41-9a62-0f5f9f0d8a0b'
const tenant = { tenant: TENANT, tenantName: 'acme-corp' }
const period = { periodStart: '2025-11-01T00:00:00.000Z', periodEnd: '2025-11-30T23:59:59.999Z' }
const createdAt = '2025-11-21T10:15:00.000Z'
const WEBHOOK = '6f0f9d0a-8a0b-4f5f-9a62-0d5f3f523c0f'
const ALERT = '1f0d23a8-ec3d-43a6-b2bb-a7c46315382c'
const EVENT = '019a9a3c-0f0e-7b7a-9c36-7f4c1f0c2d11'

export const event = { tenant: 'acme-corp', feature: 'gpt-4-turbo', tokens: 1500, id: 'request-4711' }
export const fullEvent = {
  tenant: 'acme-corp',
  feature: 'chat',
  model: 'gpt-4o',
  user: 'u-17',
  usage: { prompt_tokens: 1200, completion_tokens: 300, prompt_tokens_details: { cached_tokens: 1000 } },
  id: 'request-4712',
}
export const session = {
  keyName: 'on call',
  dimensions: ['team'],
  scopes: ['read' as const],
  ...tenant,
  expiresAt: '2025-11-28T10:15:00.000Z',
}
export const accepted = { success: true, eventId: EVENT } as const
export const batch = { success: true, accepted: 1, rejected: 0, results: [{ eventId: EVENT }] }
export const mixedBatch = {
  success: false,
  accepted: 1,
  rejected: 1,
  results: [
    { eventId: EVENT },
    {
      problem: {
        type: 'urn:flagmeter:problem:invalid_request',
        title: 'The request is not valid',
        status: 400,
        code: 'invalid_request',
        detail: 'tokens is required',
        errors: [{ field: 'tokens', detail: 'is required' }],
      },
    },
  ],
}
export const usage = {
  ...tenant,
  totalTokens: 820_000,
  eventCount: 612,
  cost: '2.4125',
  unpricedEvents: 0,
  monthlyQuota: 1_000_000,
  quotaPercent: 82,
  ...period,
}
export const pools = { input: 205_000, cacheRead: 410_000, cacheWrite: 0, output: 205_000, reasoning: 0 }
export const valueUsage = {
  value: 'gpt-4o',
  totalTokens: 820_000,
  eventCount: 612,
  pools,
  cost: '2.4125',
  unpricedEvents: 0,
}
export const usageBy = { ...tenant, by: 'model', ...period, values: [valueUsage] }
export const priceInput = {
  model: 'our-llama-*',
  effectiveFrom: '2025-11-01T00:00:00Z',
  input: '0.25',
  output: '1.5',
}
export const price = {
  id: '7b1f5e0a-3c55-4c0d-9a0b-2f0f6f1f7f11',
  model: priceInput.model,
  effectiveFrom: '2025-11-01T00:00:00.000Z',
  input: '0.25',
  output: '1.5',
  cacheRead: '0.25',
  cacheWrite: '0.25',
  cacheWrite1h: '0.25',
  reasoning: '1.5',
  request: '0',
  createdAt,
}
export const catalogue = {
  source: '@pydantic/genai-prices 0.1.8',
  url: 'https://github.com/pydantic/genai-prices',
  license: 'MIT',
  date: '2026-11-25',
  models: 1_130,
}
export const repriceInput = { from: '2025-11-01T00:00:00Z', to: '2025-12-01T00:00:00Z', model: 'our-llama-3' }
export const repriced = { examined: 20_000, repriced: 117, next: 'MDE5YTlhM2M' }
export const forgotten = { examined: 20_000, forgotten: 17, next: EVENT }
export const overview = {
  ...usage,
  thresholds: [80, 100],
  reservedTokens: 0,
  tokensPerMinute: 1_200,
  tokensLastDay: 41_000,
}
export const trend = {
  tenant: TENANT,
  from: period.periodStart,
  stepSeconds: 14_400,
  totalTokens: [0, 52_000, 61_000],
}
export const features = [{ feature: 'gpt-4-turbo', totalTokens: 820_000, eventCount: 612 }]
export const series = {
  ...tenant,
  step: 'hour' as const,
  from: '2025-11-20T10:15:00.000Z',
  to: createdAt,
  points: [
    { start: '2025-11-21T09:00:00.000Z', totalTokens: 42_000, eventCount: 31, cost: '0.1235', unpricedEvents: 0 },
  ],
}
export const monthlyUsage = {
  id: TENANT,
  period: 'month' as const,
  hard: true,
  tokenLimit: 1_000_000,
  totalTokens: 820_000,
  reservedTokens: 0,
  quotaPercent: 82,
  periodStart: period.periodStart,
  resetAt: '2025-12-01T00:00:00.000Z',
}
export const userUsage = {
  ...tenant,
  user: 'u-17',
  totalTokens: 12_000,
  eventCount: 9,
  pools: { input: 3_000, cacheRead: 6_000, cacheWrite: 0, output: 3_000, reasoning: 0 },
  cost: '0.04',
  unpricedEvents: 0,
  ...period,
  quotas: [],
}
export const quotaInput = {
  tenant: 'acme-corp',
  feature: 'gpt-4-turbo',
  period: 'day' as const,
  tokenLimit: 50_000,
  hard: true,
}
export const userQuotaInput = {
  tenant: 'acme-corp',
  per: 'user' as const,
  period: 'month' as const,
  costLimit: '5.00',
  hard: true,
}
const QUOTA = '2c1f7c3e-6f0d-4a53-8a0e-3b5a7e6d9c21'
export const quota = { id: QUOTA, ...tenant, ...quotaInput, tenant: TENANT, thresholds: [80, 100], createdAt }
export const quotaUsage = {
  id: QUOTA,
  feature: 'gpt-4-turbo',
  period: 'day' as const,
  hard: true,
  tokenLimit: 50_000,
  totalTokens: 42_000,
  reservedTokens: 1_500,
  quotaPercent: 84,
  periodStart: '2025-11-21T00:00:00.000Z',
  resetAt: '2025-11-22T00:00:00.000Z',
}
export const tenantUsage = { ...usage, pools, features, quotas: [monthlyUsage, quotaUsage] }
export const quotaException = { user: 'u-17', costLimit: '25', createdAt }
export const ask = { tenant: 'acme-corp', feature: 'gpt-4-turbo', tokens: 1_500 }
export const check = {
  allowed: true,
  remaining: 6_500,
  quota: quotaUsage,
  resetAt: quotaUsage.resetAt,
  ageMs: 120,
}
export const reservation = {
  id: 'rs_DV8_UjwPSkGaYg9fD58KCwGanaDQ3HsenDZvfE8MLRHxAZqdoNDcZ3B0LTQtdHVyYm8',
  expiresAt: '2025-11-21T10:20:00.000Z',
  remaining: 5_000,
}
export const settings = {
  name: 'acme-corp',
  monthlyQuota: 1_000_000,
  monthlyHard: true,
  billingDay: 1,
  timezone: 'Europe/Berlin',
  thresholds: [80, 100],
  failMode: 'default' as const,
}
export const tenantDocument = { id: TENANT, ...settings, createdAt }
export const webhook = {
  id: WEBHOOK,
  ...tenant,
  kind: 'standard' as const,
  url: 'https://example.com/…',
  enabled: true,
  createdAt,
}
export const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo='
export const webhookInput = {
  tenant: 'acme-corp',
  kind: 'standard' as const,
  url: 'https://example.com/hooks/flagmeter',
}
export const alert = {
  id: ALERT,
  ...tenant,
  threshold: 80,
  quotaPercent: 82,
  totalTokens: 820_000,
  quota: { id: TENANT, period: 'month' as const, tokenLimit: 1_000_000, version: 1 },
  ...period,
  createdAt,
}
export const delivery = {
  id: 'cf43ffa6-097b-4737-aac8-110dea240c13',
  ...tenant,
  webhook: WEBHOOK,
  kind: 'standard' as const,
  url: 'https://example.com/…',
  alert: ALERT,
  threshold: 80,
  status: 'delivered' as const,
  attempts: 1,
  responseStatus: 200,
  createdAt,
  finishedAt: createdAt,
}
export const keyInput = {
  name: 'billing-app',
  scopes: ['ingest' as const],
  tenant: 'acme-corp',
  expiresAt: '2026-11-21T00:00:00Z',
}
export const apiKey = {
  id: '5a2b6c9e-5f0c-4d0e-8a39-0d7a3b6d2f10',
  hint: 'fm_8Kd2…',
  name: 'billing-app',
  scopes: ['ingest' as const],
  ...tenant,
  createdAt,
}
export const auditEntry = {
  createdAt,
  actor: 'cli',
  action: 'tenant.updated',
  subject: TENANT,
  tenant: TENANT,
  tenantName: 'acme-corp',
  before: { name: 'acme-corp', monthly_quota: 1_000_000 },
  after: { name: 'acme-corp', monthly_quota: 2_000_000 },
}
export const health = {
  status: 'healthy',
  timestamp: createdAt,
  services: { database: 'up', redis: 'off' },
}
export const unhealthy = { ...health, status: 'unhealthy', services: { database: 'down', redis: 'off' } }
export const metrics = `# HELP flagmeter_events_total Events by outcome.
# TYPE flagmeter_events_total counter
flagmeter_events_total{outcome="recorded"} 612
`
export const frame = `event: usage
data: ${JSON.stringify({ tenants: [overview], gone: [] })}

`
