import { z } from 'zod'
import { query } from '../lib/store/database.ts'
import { handler } from '../lib/http/endpoint.ts'
import { hashKey } from '../lib/auth/key.ts'
import { readSession, sessionCookie } from '../lib/auth/session.ts'
import { loadSql } from '../lib/store/sql.ts'

/** Signs a browser out: its cookie is worth nothing within a second, in every process. */
export default handler({
  method: 'DELETE',
  path: '/api/session',
  operationId: 'deleteSession',
  tag: 'Session',
  auth: 'read',
  tenancy: 'own',
  summary: 'Signs the browser out',
  answers: { 204: z.undefined().describe('Signed out.') },
  async handle(ctx, { header, host }) {
    const session = readSession(header('cookie'), host)
    if (session !== undefined) await query(ctx.database, loadSql('queries/session_delete'), [hashKey(session)])
    return { status: 204, headers: { 'set-cookie': sessionCookie(host, '', 0) } }
  },
})
