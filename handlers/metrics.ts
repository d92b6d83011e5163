import { z } from 'zod'
import { handler } from '../lib/handler.ts'

/** The metrics of this process in the Prometheus text format. */
export default handler({
  method: 'GET',
  path: '/metrics',
  auth: 'read',
  tenancy: 'all',
  summary: 'Metrics of this process, for Prometheus',
  answers: { 200: z.string() },
  async handle(ctx) {
    const { registry } = ctx.metrics
    return { status: 200, text: await registry.metrics(), headers: { 'content-type': registry.contentType } }
  },
})
