import { z } from 'zod'
import { type Database, errorCode, query } from '../lib/database.ts'
import { asUuid, fieldErrors, must, text } from '../lib/event.ts'
import { loadSql } from '../lib/sql.ts'
import { CommandError, Exit } from './_command.ts'

const tenantCreateSql = loadSql('queries/tenant_create')
const tenantSeedSql = loadSql('queries/tenant_seed')
const tenantUpdateSql = loadSql('queries/tenant_update')
const tenantListSql = loadSql('queries/tenant_list')
const tenantGetSql = loadSql('queries/tenant_get')

const THRESHOLD = 'must be a whole number from 1 to 1000'

/** What a person may set of a tenant, on the command line and in a seed file. */
export const TenantSettings = z.strictObject({
  name: text(200).refine((name) => asUuid(name) === null, 'must not have the form of an id'),
  /** Tokens per billing period. */
  monthlyQuota: z
    .number(must('must be a number'))
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(1e15, 'must be at most 1e15')
    .optional(),
  billingDay: z
    .number(must('must be a number'))
    .int('must be a whole number')
    .min(1, 'must be from 1 to 31')
    .max(31, 'must be from 1 to 31')
    .optional(),
  timezone: z.string('must be an IANA time zone such as Europe/Berlin').optional(),
  /** Percent of the quota at which alerts are raised. */
  thresholds: z
    .array(z.number(THRESHOLD).int(THRESHOLD).min(1, THRESHOLD).max(1000, THRESHOLD), 'must be a list of percentages')
    .min(1, 'must be 1 to 10 percentages')
    .max(10, 'must be 1 to 10 percentages')
    .transform((percents) => [...new Set(percents)].sort((a, b) => a - b))
    .optional(),
})
export type TenantSettings = z.infer<typeof TenantSettings>
const TenantChanges = TenantSettings.partial()

/** A tenant as commands print it. */
export interface Tenant {
  id: string
  name: string
  monthlyQuota: number
  billingDay: number
  timezone: string
  thresholds: number[]
  createdAt: Date
}

interface TenantRow {
  id: string
  name: string
  monthly_quota: number
  billing_day: number
  timezone: string
  thresholds: number[]
  created_at: Date
}

/** Creates a tenant; undefined when the name is taken. */
export async function createTenant(database: Database, given: TenantSettings): Promise<Tenant | undefined> {
  return await one(database, tenantCreateSql, toArguments(check(TenantSettings, given)))
}

/** The example a seeded tenant gets: to be given its URL, tested and enabled. */
const EXAMPLE_WEBHOOK = 'https://hooks.slack.com/services/REPLACE/WITH/YOURS'

/** Creates a tenant with a disabled example of a Slack webhook, if the name is free. Returns whether it was. */
export async function seedTenant(database: Database, given: TenantSettings): Promise<boolean> {
  const args = [...toArguments(check(TenantSettings, given)), EXAMPLE_WEBHOOK, new URL(EXAMPLE_WEBHOOK).host]
  return (await run(database, tenantSeedSql, args)).length > 0
}

/** Changes what is given of a tenant. */
export async function updateTenant(database: Database, ref: string, given: Partial<TenantSettings>): Promise<Tenant> {
  const changes = check(TenantChanges, given)
  const { id } = await getTenant(database, ref)
  const tenant = await one(database, tenantUpdateSql, [id, ...toArguments(changes)])
  return tenant ?? noTenant(ref)
}

/** Every tenant, by name. */
export async function listTenants(database: Database): Promise<Tenant[]> {
  const tenants: Tenant[] = []
  for (let page = 1000; page === 1000;) {
    const rows = await query<TenantRow>(database, tenantListSql, [tenants.at(-1)?.name ?? '', 1000])
    tenants.push(...rows.map(toTenant))
    page = rows.length
  }
  return tenants
}

async function getTenant(database: Database, ref: string): Promise<Tenant> {
  return (await one(database, tenantGetSql, [ref, asUuid(ref)])) ?? noTenant(ref)
}

function noTenant(ref: string): never {
  throw new CommandError(`there is no tenant '${ref}'`)
}

const toArguments = ({
  name,
  monthlyQuota,
  billingDay,
  timezone,
  thresholds,
}: z.output<typeof TenantChanges>): unknown[] =>
  [name, monthlyQuota, billingDay, timezone, thresholds].map((value) => value ?? null)

async function one(database: Database, sql: string, args: unknown[]): Promise<Tenant | undefined> {
  const [row] = await run(database, sql, args)
  return row && toTenant(row)
}

async function run(database: Database, sql: string, args: unknown[]): Promise<TenantRow[]> {
  try {
    return await query<TenantRow>(database, sql, args)
  } catch (error) {
    if (errorCode(error) === '22023') throw new CommandError((error as Error).message, Exit.usage)
    if (errorCode(error) === '23505') throw new CommandError('name is taken by another tenant')
    throw error
  }
}

/** Checks settings from outside. @throws CommandError that names every mistake */
export function check<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new CommandError(
    fieldErrors(parsed.error)
      .map(({ field, detail }) => `${field} ${detail}`)
      .join('\n'),
    Exit.usage,
  )
}

const toTenant = (row: TenantRow): Tenant => ({
  id: row.id,
  name: row.name,
  monthlyQuota: row.monthly_quota,
  billingDay: row.billing_day,
  timezone: row.timezone,
  thresholds: row.thresholds,
  createdAt: row.created_at,
})
