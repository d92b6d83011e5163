import { z } from 'zod'
import { type HttpHandler, handler } from '../lib/http/endpoint.ts'
import { describeApi } from '../lib/site/openapi.ts'

/** Built once per server: it takes 10 ms, and needs no key. Bytes, which all who read it slowly share. */
const built = new WeakMap<HttpHandler[], Buffer>()

/** The API of this server in OpenAPI 3.1. */
export default handler({
  method: 'GET',
  path: '/api/openapi.json',
  operationId: 'getDescription',
  tag: 'Service',
  auth: 'none',
  summary: 'This description',
  answers: {
    200: z
      .looseObject({ openapi: z.string() })
      .describe('The API of this server.')
      .meta({ examples: [{ openapi: '3.1.1' }] }),
  },
  handle(_ctx, { endpoints }) {
    const body = built.get(endpoints) ?? Buffer.from(JSON.stringify(describeApi(endpoints)))
    built.set(endpoints, body)
    return { status: 200, body }
  },
})
