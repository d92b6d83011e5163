import { z } from 'zod'
import { handler } from '../lib/http/endpoint.ts'
import { renderMetrics } from '../lib/metrics/store_metrics.ts'

/** The metrics of this process in the Prometheus text format. */
export default handler({
  method: 'GET',
  path: '/metrics',
  auth: 'read',
  tenancy: 'all',
  summary: 'Metrics of this process, for Prometheus',
  answers: { 200: z.string() },
  async handle(ctx) {
    const { contentType } = ctx.metrics.registry
    return { status: 200, text: await renderMetrics(ctx), headers: { 'content-type': contentType } }
  },
})
