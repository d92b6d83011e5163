import { handler } from '../lib/handler.ts'

/** The metrics of this process in the Prometheus text format. */
export default handler({
  method: 'GET',
  path: '/metrics',
  auth: 'none',
  async handle(ctx) {
    const { registry } = ctx.metrics
    return { status: 200, text: await registry.metrics(), headers: { 'content-type': registry.contentType } }
  },
})
