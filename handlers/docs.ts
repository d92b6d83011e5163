import { serveDocs } from '../lib/site/assets.ts'
import { handler } from '../lib/http/endpoint.ts'

/** The description of the API as a page, to read and to try. It holds no figures: what is tried there needs a key. */
export default handler({
  method: 'GET',
  path: '/docs',
  auth: 'none',
  summary: 'The API, as a page',
  answers: {},
  handle: () => serveDocs(),
})
