import { handler, json } from '../lib/http/endpoint.ts'
import { Session, toSession } from '../lib/auth/session.ts'

/** Who calls, and what they may do. */
export default handler({
  method: 'GET',
  path: '/api/session',
  operationId: 'getSession',
  tag: 'Session',
  auth: 'read',
  tenancy: 'own',
  summary: 'Who is signed in',
  answers: { 200: Session.describe('Who calls.') },
  handle: (ctx, { caller }) => json(200, toSession(caller, ctx.config.dimensions)),
})
