import { z } from 'zod'
import { handler, json } from '../lib/handler.ts'
import { describeApi } from '../lib/openapi.ts'

/** The API of this server in OpenAPI 3.1. */
export default handler({
  method: 'GET',
  path: '/api/openapi.json',
  auth: 'none',
  summary: 'This description',
  answers: { 200: z.looseObject({ openapi: z.string() }) },
  handle: (_ctx, { endpoints }) => json(200, describeApi(endpoints)),
})
