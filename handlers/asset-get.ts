import { z } from 'zod'
import { serveAsset } from '../lib/site/assets.ts'
import { handler } from '../lib/http/endpoint.ts'
import { Problem } from '../lib/problem.ts'

/** A script, style sheet or picture of a page. */
export default handler({
  method: 'GET',
  path: '/assets/:file',
  auth: 'none',
  summary: 'A file of a page',
  answers: {},
  problems: ['not_found'],
  params: z.object({ file: z.string() }),
  handle(_ctx, { params, header }) {
    const asset = serveAsset(params.file, header('accept-encoding'))
    if (!asset) throw new Problem('not_found')
    return asset
  },
})
