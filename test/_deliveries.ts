import { type IncomingHttpHeaders, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { Context } from '../lib/context.ts'

/** A message that arrived. */
export interface Received {
  at: number
  path: string
  headers: IncomingHttpHeaders
  body: string
}

export interface Receiver {
  url: string
  received: Received[]
  /** The bodies, as JSON. */
  bodies: () => any[]
}

/** Answers a request, given how many came before it. Default: 200. */
export type Answering = (res: ServerResponse, index: number, received: Received) => void

/** A webhook receiver on this machine. Closed after the test. */
export async function createReceiver(answer: Answering = (res) => void res.end('ok')): Promise<Receiver> {
  const received: Received[] = []
  const server = createServer((req, res) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('end', () => {
      const message = { at: Date.now(), path: req.url!, headers: req.headers, body: Buffer.concat(chunks).toString() }
      received.push(message)
      answer(res, received.length - 1, message)
    })
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    bodies: () => received.map(({ body }) => JSON.parse(body)),
  }
}

/** Adds an enabled webhook to a tenant, bypassing the API, and returns its id. */
export async function addWebhook(
  ctx: Context,
  tenantId: string,
  url: string,
  { kind = 'slack', secret = null as string | null } = {},
): Promise<string> {
  const [row] = await ctx.database<{ id: string }[]>`
    insert into webhooks (tenant_id, kind, url, host, secret, enabled)
    values (${tenantId}, ${kind}, ${url}, ${new URL(url).host}, ${secret}, true) returning id`
  return row!.id
}

/** Allows receivers on this machine. */
export const LOCAL = { WEBHOOK_ALLOW_PRIVATE: 'true' }

export const tenantId = async (ctx: Context, name = 'acme-corp') => (await ctx.tenants.find([name])).get(name)!

/** Crosses a threshold of a tenant, bypassing record_events: one alert, one delivery per enabled webhook. */
export async function cross(ctx: Context, threshold = 80, tenant = 'acme-corp'): Promise<void> {
  const id = await tenantId(ctx, tenant)
  await ctx.database`
    select raise_alert(${id}, ${id}, null, 'month',
                       date_trunc('month', now()), date_trunc('month', now()) + interval '1 month',
                       ${threshold}, 1, 1000000, ${threshold * 10_000})`
}

/** The outbox, with the seconds until each delivery is due. */
export const deliveries = (ctx: Context) =>
  ctx.database<{ id: string; status: string; attempts: number; reason: string | null; wait: number }[]>`
    select *, extract(epoch from next_attempt_at - now())::float8 as wait from deliveries order by position`

/** Whether nothing is left to send. */
export const atRest = async (ctx: Context) =>
  (await deliveries(ctx)).every(({ status }) => status === 'delivered' || status === 'dead')
