import type { Caller } from '../auth/caller.ts'
import type { RateLimits } from '../auth/rate_limits.ts'
import type { Config } from '../config.ts'
import { change } from '../store/database.ts'
import type { Database } from '../store/connection.ts'
import { asUuid } from '../schema.ts'
import { Problem } from '../problem.ts'
import { loadSql } from '../store/sql.ts'
import type { TenantCache } from './tenant_cache.ts'
import { UnknownTenant } from './unknown_tenant.ts'

interface Needs {
  config: Pick<Config, 'autoCreateTenants'>
  database: Database
  tenants: TenantCache
  limits: RateLimits
}

/** Ids of tenants by the name or id asked for, and why others could not be made. */
export interface FoundTenants {
  ids: Map<string, string>
  /** The answer for each tenant that is missing because its key has made as many as it may. */
  refusal?: Problem
}

/** Names that are being made, so that a hundred first events of a tenant make it once and count once. */
const making = new WeakMap<Database, Map<string, Promise<unknown>>>()

/**
 * Finds tenants by name or id. With AUTO_CREATE_TENANTS, makes those that are missing: as many as the key may make,
 * none for a key that is bound to a tenant.
 */
export async function findOrCreate(ctx: Needs, { keyId, tenantId }: Caller, refs: string[]): Promise<FoundTenants> {
  const ids = await ctx.tenants.find(refs)
  if (!ctx.config.autoCreateTenants || tenantId !== undefined) return { ids }
  const missing = [...new Set(refs)].filter((ref) => !ids.has(ref) && asUuid(ref) === null)
  if (missing.length === 0) return { ids }
  const refusal = await create(ctx, keyId, missing)
  for (const [ref, id] of await ctx.tenants.find(missing)) ids.set(ref, id)
  return { ids, ...(refusal && { refusal }) }
}

/** The id of the tenant of this name or id. @throws Problem tenant_not_found, rate_limited */
export async function findOrCreateTenant(ctx: Needs, caller: Caller, ref: string): Promise<string> {
  const { ids, refusal } = await findOrCreate(ctx, caller, [ref])
  const id = ids.get(ref)
  if (id === undefined) throw refusal ?? new UnknownTenant(ref)
  return id
}

/** Makes as many as the key may make now, in one statement. Returns the refusal of the others. */
async function create(ctx: Needs, keyId: string, missing: string[]): Promise<Problem | undefined> {
  const made = making.get(ctx.database) ?? new Map<string, Promise<unknown>>()
  making.set(ctx.database, made)
  const ofOthers = missing.map((name) => made.get(name))
  const names: string[] = []
  let refusal: Problem | undefined
  for (const name of missing.filter((_, i) => !ofOthers[i])) {
    refusal = await takeOne(ctx, keyId)
    if (refusal) break
    names.push(name)
  }
  if (names.length > 0) {
    const work = change(ctx.database, 'auto-create', loadSql('queries/tenant_create_many'), [names])
    for (const name of names) made.set(name, work)
    await work.finally(() => {
      for (const name of names) made.delete(name)
    })
  }
  await Promise.all(ofOthers.filter((work) => work !== undefined))
  return refusal
}

async function takeOne({ limits }: Needs, keyId: string): Promise<Problem | undefined> {
  try {
    await limits.take('new tenants', keyId, 1)
    return undefined
  } catch (error) {
    if (error instanceof Problem) return error
    throw error
  }
}
