import { z } from 'zod'
import { handler } from '../lib/http/endpoint.ts'
import * as examples from '../lib/site/examples.ts'
import { renderMetrics } from '../lib/metrics/store_metrics.ts'

/** The metrics of this process in the Prometheus text format. */
export default handler({
  method: 'GET',
  path: '/metrics',
  operationId: 'getMetrics',
  tag: 'Service',
  auth: 'read',
  tenancy: 'all',
  summary: 'Metrics of this process, for Prometheus',
  answers: {
    200: z
      .string()
      .describe('Metrics in the Prometheus text format.')
      .meta({ examples: [examples.metrics] }),
  },
  async handle(ctx) {
    const { contentType } = ctx.metrics.registry
    return { status: 200, text: await renderMetrics(ctx), headers: { 'content-type': contentType } }
  },
})
