import * as admin from '../lib/admin/tenants.ts'
import type { Database } from '../lib/store/connection.ts'

/** Creates a tenant, checked as the API checks it. */
export const createTenant = async (database: Database, given: admin.TenantSettings): Promise<admin.Tenant> =>
  await admin.createTenant(database, 'test', admin.TenantSettings.parse(given))

/** Changes the given fields of a tenant, checked as the API checks them. */
export const updateTenant = async (
  database: Database,
  ref: string,
  given: Partial<admin.TenantSettings>,
): Promise<admin.Tenant> => await admin.updateTenant(database, 'test', ref, admin.TenantChanges.parse(given))
