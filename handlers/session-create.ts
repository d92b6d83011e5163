import { query } from '../lib/store/database.ts'
import { handler, json } from '../lib/http/endpoint.ts'
import { hashKey } from '../lib/auth/key.ts'
import { Problem } from '../lib/problem.ts'
import { SESSION_MS, Session, newSession, readSession, sessionCookie, toSession } from '../lib/auth/session.ts'
import { loadSql } from '../lib/store/sql.ts'

/** Signs a browser in with a key: the answer sets a cookie in its place. A session can't extend itself. */
export default handler({
  method: 'POST',
  path: '/api/session',
  operationId: 'createSession',
  tag: 'Session',
  auth: 'read',
  tenancy: 'own',
  summary: 'Signs a browser in, with a cookie',
  answers: { 201: Session.describe('Signed in: the cookie in this answer takes the place of the key.') },
  async handle(ctx, { caller, header, host }) {
    if (header('authorization') === undefined)
      throw new Problem('unauthorized', { detail: 'to sign in, send a key as Authorization: Bearer fm_…' })
    const session = newSession()
    const now = ctx.clock()
    const expiresAt = Math.min(now + SESSION_MS, caller.expiresAt ?? Infinity)
    const [end, start] = [expiresAt, now].map((at) => new Date(at).toISOString())
    const before = readSession(header('cookie'), host)
    const replaced = before === undefined ? '' : hashKey(before)
    await query(ctx.database, loadSql('queries/session_create'), [hashKey(session), caller.keyId, end, start, replaced])
    const cookie = sessionCookie(host, session, expiresAt - now)
    return json(201, toSession({ ...caller, expiresAt }, ctx.config.dimensions), { 'set-cookie': cookie })
  },
})
