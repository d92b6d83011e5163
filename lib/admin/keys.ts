import { z } from 'zod'
import { change } from '../store/database.ts'
import type { Database } from '../store/connection.ts'
import { type Listed, list } from '../store/document.ts'
import { Instant, Timestamp, asUuid, noSuch, text } from '../schema.ts'
import { SCOPES, Scope } from '../auth/scope.ts'
import { hashKey, hintOf, newKey } from '../auth/key.ts'
import { Problem } from '../problem.ts'
import { loadSql } from '../store/sql.ts'
import * as examples from '../site/examples.ts'

/** What a person says of a new key, but for its tenant. */
export const KeySettings = {
  name: text(200),
  scopes: z
    .array(z.enum(SCOPES, `must be one of ${SCOPES.join(', ')}`), 'must be a list of scopes')
    .min(1, 'must hold at least one scope')
    .transform((scopes) => [...new Set(scopes)]),
  expiresAt: Timestamp.optional(),
}

/** A key as the API and the commands show it: never the key itself. */
export const ApiKey = z
  .object({
    id: z.guid(),
    hint: z.string().describe('How the key begins.'),
    name: z.string(),
    scopes: z.array(Scope),
    tenant: z.guid().describe('The only tenant it may speak of; absent: any.').optional(),
    tenantName: z.string().optional(),
    user: z.string().describe('The only user of that tenant it may speak of; absent: any.').optional(),
    createdAt: Instant,
    expiresAt: Instant.optional(),
    revokedAt: Instant.optional(),
    lastUsedAt: Instant.optional(),
  })
  .meta({ id: 'ApiKey', description: 'A key, never the key itself.', examples: [examples.apiKey] })
export type ApiKey = z.infer<typeof ApiKey>

/** A key that was made a moment ago. `key` is shown this once. */
export const NewApiKey = ApiKey.extend({ key: z.string().describe('The key itself, shown this once.') }).meta({
  id: 'NewApiKey',
  description: 'A key that was made a moment ago.',
  examples: [{ ...examples.apiKey, key: 'fm_8Kd2…' }],
})
export type NewApiKey = z.infer<typeof NewApiKey>

/** Makes a key. One that is bound to a user is bound to its tenant too. */
export async function createKey(
  database: Database,
  actor: string,
  {
    name,
    scopes,
    expiresAt,
    tenantId,
    user,
  }: {
    name: string
    scopes: Scope[]
    expiresAt?: string | undefined
    tenantId?: string | undefined
    user?: string | undefined
  },
): Promise<NewApiKey> {
  const key = newKey()
  const args = [hashKey(key), hintOf(key), name, scopes, tenantId ?? null, expiresAt ?? null, user ?? null]
  const [row] = await change<{ id: string }>(database, actor, loadSql('queries/key_create'), args)
  return { ...(await getKey(database, row!.id)), key }
}

/** Revokes a key. Every process refuses it within a second. @throws Problem key_not_found */
export async function revokeKey(database: Database, actor: string, id: string): Promise<ApiKey> {
  const { id: known } = await getKey(database, id)
  await change(database, actor, loadSql('queries/key_revoke'), [known])
  return await getKey(database, known)
}

/** A page of keys, the newest first, of one tenant or of all. */
export const listKeys = (
  database: Database,
  tenantId: string | null,
  before: number | null,
  limit: number,
): Promise<Listed<ApiKey>> => list(database, 'key_list', [null, tenantId, before, limit])

async function getKey(database: Database, ref: string): Promise<ApiKey> {
  const id = asUuid(ref)
  const [key] = id === null ? [] : (await list<ApiKey>(database, 'key_list', [id, null, null, 1])).items
  if (!key) throw new Problem('key_not_found', { detail: noSuch('key', ref, '/keys') })
  return key
}
