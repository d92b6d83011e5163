import { z } from 'zod'
import { actorOf } from '../lib/auth/caller.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { ApiKey, revokeKey } from '../lib/admin/keys.ts'

/** Revokes a key for good. Every process refuses it within a second. */
export default handler({
  method: 'DELETE',
  path: '/api/keys/:key',
  operationId: 'revokeKey',
  tag: 'Keys',
  auth: 'admin',
  tenancy: 'all',
  summary: 'Revokes a key',
  answers: { 200: ApiKey.describe('The key is revoked: every process refuses it within a second.') },
  problems: ['key_not_found'],
  params: z.object({ key: z.string() }),
  handle: async (ctx, { params, caller }) => json(200, await revokeKey(ctx.database, actorOf(caller), params.key)),
})
