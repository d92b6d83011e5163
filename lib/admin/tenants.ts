import { z } from 'zod'
import { change, inTransaction, query } from '../store/database.ts'
import type { Database } from '../store/connection.ts'
import { errorCode } from '../store/outage.ts'
import { Instant, asUuid, text, whole } from '../schema.ts'
import { Problem, type ProblemExtra, invalidInput } from '../problem.ts'
import { limitOf } from '../quota/limit.ts'
import { Hard, QuotaSettings, Thresholds, TokenLimit } from '../quota/quota_settings.ts'
import { loadSql } from '../store/sql.ts'
import { toDocument } from '../store/document.ts'
import { FAIL_MODES, FailMode, type TenantRow, getTenant } from '../tenants/tenant_cache.ts'
import { quote } from '../words.ts'
import * as examples from '../site/examples.ts'

/**
 * How long a change of billing day or time zone may take within the request; the consumer `rebuild` does the rest.
 */
const REBUILD_MS = 1_000

/** What a person may set of a tenant, over HTTP, on the command line and in a seed file. */
export const TenantSettings = z.strictObject({
  name: text(200).refine((name) => asUuid(name) === null, 'must not look like an id'),
  /** Tokens per billing period. */
  monthlyQuota: TokenLimit.optional(),
  /** Whether checks and reservations are refused beyond it; else it only alerts. */
  monthlyHard: Hard.optional(),
  billingDay: whole(1, 31).optional(),
  timezone: text(100, 'must be an IANA time zone such as Europe/Berlin').optional(),
  /** Percent of the quota at which alerts are raised. */
  thresholds: Thresholds.optional(),
  /** Whether checks and reservations are allowed while PostgreSQL is away. */
  failMode: z.enum(FAIL_MODES, `must be one of ${FAIL_MODES.join(', ')}`).optional(),
})
export type TenantSettings = z.infer<typeof TenantSettings>

/** What of a tenant may be changed. */
export const TenantChanges = TenantSettings.partial()
export type TenantChanges = z.infer<typeof TenantChanges>

/** A tenant as the API and the commands show it. */
export const Tenant = z
  .object({
    id: z.guid(),
    name: z.string(),
    monthlyQuota: z.int().describe('Tokens per billing period.'),
    monthlyHard: z.boolean().describe('Whether checks and reservations beyond it are refused.'),
    billingDay: z.int().describe('The day of the month on which a billing period starts.'),
    timezone: z.string(),
    thresholds: z.array(z.int()).describe('Percentages of the monthly quota at which alerts are raised.'),
    failMode: FailMode,
    createdAt: Instant,
    rebuild: z
      .object({ billingDay: z.int(), timezone: z.string(), percent: z.int() })
      .describe('A new billing day or time zone on its way, and how far it is. Until it is done the old ones hold.')
      .optional(),
  })
  .meta({ id: 'Tenant', description: 'Who is metered, with its monthly quota.', examples: [examples.tenantDocument] })
export type Tenant = z.infer<typeof Tenant>

/** Creates a tenant. @throws Problem tenant_exists, invalid_request (time zone) */
export async function createTenant(database: Database, actor: string, settings: TenantSettings): Promise<Tenant> {
  const [row] = await run(database, actor, loadSql('queries/tenant_create'), toArguments(settings))
  if (!row) throw new Problem('tenant_exists', { detail: `the tenant ${quote(settings.name)} already exists` })
  return toDocument(row)
}

/** The example a seeded tenant gets: to be given its URL, tested and enabled. */
const EXAMPLE_WEBHOOK = 'https://hooks.slack.com/services/REPLACE/WITH/YOURS'

/** What no two quotas of a tenant have in common: the rule of create_quota. */
const identity = ({ feature, model, per, period, hard = true, ...limits }: z.infer<typeof QuotaSettings>): string =>
  JSON.stringify([feature ?? null, model ?? null, per ?? null, period, limitOf(limits), hard])

/** A tenant of a seed file: its settings and its additional quotas. */
export const TenantSeed = TenantSettings.extend({
  quotas: z
    .array(QuotaSettings, 'must be a list')
    .refine((quotas) => new Set(quotas.map(identity)).size === quotas.length, 'must not hold the same quota twice')
    .optional(),
})
export type TenantSeed = z.infer<typeof TenantSeed>

/**
 * Creates a tenant with its quotas and a disabled example of a Slack webhook, if the name is free. Returns whether it
 * was.
 */
export async function seedTenant(database: Database, actor: string, settings: TenantSeed): Promise<boolean> {
  const quotas = (settings.quotas ?? []).map(({ per, feature, model, period, hard, thresholds, ...limits }) => {
    const { metric, limit } = limitOf(limits)!
    return { feature, model, metric, per_user: per === 'user', period, token_limit: limit, hard, thresholds }
  })
  const args = [...toArguments(settings), EXAMPLE_WEBHOOK, new URL(EXAMPLE_WEBHOOK).host, JSON.stringify(quotas)]
  return (await run(database, actor, loadSql('queries/tenant_seed'), args)).length > 0
}

/**
 * Changes what is given of a tenant, at once but for billing day and time zone: those re-sort its usage into new
 * periods, which continues in the background when the tenant is large; `rebuild` says how far.
 * @throws Problem tenant_not_found, tenant_exists, invalid_request (time zone)
 */
export async function updateTenant(
  database: Database,
  actor: string,
  ref: string,
  changes: TenantChanges,
): Promise<Tenant> {
  const { id } = await getTenant(database, ref)
  await run(database, actor, loadSql('queries/tenant_update'), [id, ...toArguments(changes)])
  const end = performance.now() + (changes.billingDay === undefined && changes.timezone === undefined ? 0 : REBUILD_MS)
  let tenant: Tenant = toDocument(await getTenant(database, id)) // deleted meanwhile: not found
  while (tenant.rebuild && performance.now() < end) {
    // What was asked for is stored: when a step fails, the consumer tries it again.
    const more = await stepRebuild(database, id, REBUILD_MS).catch(() => undefined)
    tenant = toDocument(await getTenant(database, id))
    if (more === undefined) break
  }
  return tenant
}

/**
 * Does a piece of the change of a tenant's billing day or time zone. Returns whether there is more to do. A piece takes
 * milliseconds; the last one of a tenant with very many features takes longer than a statement usually may, and must
 * come to its end.
 */
export async function stepRebuild(database: Database, tenantId: string, withinMs: number): Promise<boolean> {
  return await inTransaction(database, async (transaction) => {
    await transaction`select set_config('statement_timeout', ${String(withinMs)}, true)`
    const [row] = await transaction.unsafe<{ more: boolean }[]>(loadSql('queries/rebuild_step'), [tenantId], {
      prepare: true,
    })
    return row!.more
  })
}

/** Deletes a tenant for good; what has grown with it goes in batches, by `prune`. @throws Problem tenant_not_found */
export async function deleteTenant(database: Database, actor: string, ref: string): Promise<Tenant> {
  const tenant = await getTenant(database, ref)
  await change(database, actor, loadSql('queries/tenant_delete'), [tenant.id])
  return toDocument(tenant)
}

/** A page of tenants by name, from after one. */
export async function listTenants(database: Database, after: string, limit: number): Promise<Tenant[]> {
  return (await query<TenantRow>(database, loadSql('queries/tenant_list'), [after, limit])).map(toDocument)
}

/** In the order of the parameters of create_tenant and update_tenant. */
const toArguments = (settings: TenantChanges): unknown[] => {
  const { name, monthlyQuota, monthlyHard, billingDay, timezone, thresholds, failMode } = settings
  return [name, monthlyQuota, monthlyHard, billingDay, timezone, thresholds, failMode].map((value) => value ?? null)
}

async function run(database: Database, actor: string, sql: string, args: unknown[]): Promise<TenantRow[]> {
  try {
    return await change<TenantRow>(database, actor, sql, args)
  } catch (error) {
    if (errorCode(error) === '22023') throw new Problem('invalid_request', mistake('timezone', error as Error))
    if (errorCode(error) === '23505')
      throw new Problem('tenant_exists', { detail: 'the name is taken by another tenant' })
    throw error
  }
}

/** `check_timezone` begins its message with the field. */
const mistake = (field: string, { message }: Error): ProblemExtra =>
  invalidInput([{ field, detail: message.replace(`${field} `, '') }])
