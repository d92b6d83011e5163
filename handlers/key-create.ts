import { z } from 'zod'
import { actorOf } from '../lib/auth/caller.ts'
import { SplitValue } from '../lib/events/event_detail.ts'
import { TenantRef } from '../lib/schema.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { KeySettings, NewApiKey, createKey } from '../lib/admin/keys.ts'
import { getTenant } from '../lib/tenants/tenant_cache.ts'
import * as examples from '../lib/site/examples.ts'

/** Makes a key. It is in this answer and in no other. */
export default handler({
  method: 'POST',
  path: '/api/keys',
  operationId: 'createKey',
  tag: 'Keys',
  auth: 'admin',
  tenancy: 'all',
  summary: 'Makes a key',
  answers: { 201: NewApiKey.describe('The key was made. It is shown this once.') },
  problems: ['tenant_not_found'],
  body: z
    .strictObject({ ...KeySettings, tenant: TenantRef.optional(), user: SplitValue.optional() })
    .refine(({ tenant, user }) => tenant !== undefined || user === undefined, {
      path: ['tenant'],
      error: 'is required: a user is one of a tenant',
    })
    .refine(({ scopes, user }) => user === undefined || !scopes.includes('admin'), {
      path: ['scopes'],
      error: 'must not hold admin: the key is bound to a user',
    })
    .meta({ id: 'ApiKeyInput', examples: [examples.keyInput] }),
  async handle(ctx, { body: { name, scopes, expiresAt, tenant, user }, caller }) {
    const tenantId = tenant === undefined ? undefined : (await getTenant(ctx.database, tenant)).id
    return json(201, await createKey(ctx.database, actorOf(caller), { name, scopes, expiresAt, tenantId, user }))
  },
})
