import { servePage } from '../lib/site/assets.ts'
import { handler } from '../lib/http/endpoint.ts'

/** The dashboard. The page holds no figures: it signs in and asks the API. */
export default handler({
  method: 'GET',
  path: '/',
  auth: 'none',
  summary: 'The dashboard',
  answers: {},
  handle: () => servePage(),
})
