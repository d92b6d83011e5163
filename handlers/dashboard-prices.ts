import { servePage } from '../lib/site/assets.ts'
import { handler } from '../lib/http/endpoint.ts'

/** The page of prices, which is the dashboard's. */
export default handler({
  method: 'GET',
  path: '/prices',
  auth: 'none',
  summary: 'The prices in the dashboard',
  answers: {},
  handle: () => servePage(),
})
