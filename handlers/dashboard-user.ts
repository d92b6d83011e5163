import { z } from 'zod'
import { servePage } from '../lib/site/assets.ts'
import { handler } from '../lib/http/endpoint.ts'

/** A user's page of the dashboard: the same for every name, which the page itself reads from the path. */
export default handler({
  method: 'GET',
  path: '/tenants/:tenant/users/:user',
  auth: 'none',
  summary: 'A user’s page of the dashboard',
  answers: {},
  params: z.object({ tenant: z.string(), user: z.string() }),
  handle: () => servePage(),
})
