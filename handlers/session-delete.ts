import { z } from 'zod'
import { query } from '../lib/database.ts'
import { handler } from '../lib/handler.ts'
import { hashKey } from '../lib/key.ts'
import { readSession, sessionCookie } from '../lib/session.ts'
import { loadSql } from '../lib/sql.ts'

const sessionDeleteSql = loadSql('queries/session_delete')

/** Signs a browser out: its cookie is worth nothing within a second, in every process. */
export default handler({
  method: 'DELETE',
  path: '/api/session',
  auth: 'read',
  tenancy: 'own',
  summary: 'Signs the browser out',
  answers: { 204: z.undefined() },
  async handle(ctx, { header, host }) {
    const session = readSession(header('cookie'), host)
    if (session !== undefined) await query(ctx.database, sessionDeleteSql, [hashKey(session)])
    return { status: 204, headers: { 'set-cookie': sessionCookie(host, '', 0) } }
  },
})
