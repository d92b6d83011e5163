import type { z } from 'zod'
import type { Database } from '../lib/store/database.ts'
import { fieldErrors } from '../lib/schema.ts'
import * as admin from '../lib/admin/tenants.ts'
import { CommandError, Exit } from './_command.ts'

export { TenantSettings, type Tenant } from '../lib/admin/tenants.ts'

/** Whom the audit log names for what is done on the command line. */
export const CLI_ACTOR = 'cli'

/** Creates a tenant. */
export const createTenant = async (database: Database, given: admin.TenantSettings): Promise<admin.Tenant> =>
  await admin.createTenant(database, CLI_ACTOR, check(admin.TenantSettings, given))

/** Changes what is given of a tenant. */
export const updateTenant = async (
  database: Database,
  ref: string,
  given: Partial<admin.TenantSettings>,
): Promise<admin.Tenant> => await admin.updateTenant(database, CLI_ACTOR, ref, check(admin.TenantChanges, given))

/** Every tenant, by name. */
export async function listTenants(database: Database): Promise<admin.Tenant[]> {
  const tenants: admin.Tenant[] = []
  for (let page = 1000; page === 1000;) {
    const more = await admin.listTenants(database, tenants.at(-1)?.name ?? '', 1000)
    tenants.push(...more)
    page = more.length
  }
  return tenants
}

/** Checks input from outside. @throws CommandError that names every mistake */
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
