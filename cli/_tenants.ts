import { z } from 'zod'
import { type Database, errorCode, query } from '../lib/database.ts'
import { asUuid, fieldErrors, must, text } from '../lib/event.ts'
import { loadSql } from '../lib/sql.ts'
import { CommandError, Exit } from './_command.ts'

const tenantCreateSql = loadSql('queries/tenant_create')
const tenantUpdateSql = loadSql('queries/tenant_update')
const tenantListSql = loadSql('queries/tenant_list')
const tenantGetSql = loadSql('queries/tenant_get')

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
})
export type TenantSettings = z.infer<typeof TenantSettings>

/** A tenant as commands print it. */
export interface Tenant {
  id: string
  name: string
  monthlyQuota: number
  billingDay: number
  timezone: string
  createdAt: Date
}

interface TenantRow {
  id: string
  name: string
  monthly_quota: number
  billing_day: number
  timezone: string
  created_at: Date
}

/** Creates a tenant; undefined when the name is taken. */
export async function createTenant(database: Database, given: TenantSettings): Promise<Tenant | undefined> {
  const { name, monthlyQuota, billingDay, timezone } = check(TenantSettings, given)
  return await one(database, tenantCreateSql, [name, monthlyQuota ?? null, billingDay ?? null, timezone ?? null])
}

/** Changes what is given of a tenant. */
export async function updateTenant(database: Database, ref: string, given: Partial<TenantSettings>): Promise<Tenant> {
  const { name, monthlyQuota, billingDay, timezone } = check(TenantSettings.partial(), given)
  const { id } = await getTenant(database, ref)
  const changes = [name ?? null, monthlyQuota ?? null, billingDay ?? null, timezone ?? null]
  const tenant = await one(database, tenantUpdateSql, [id, ...changes])
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

async function one(database: Database, sql: string, args: unknown[]): Promise<Tenant | undefined> {
  try {
    const [row] = await query<TenantRow>(database, sql, args)
    return row && toTenant(row)
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
  createdAt: row.created_at,
})
