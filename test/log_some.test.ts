import type { AddressInfo } from 'node:net'
import { pino } from 'pino'
import { expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { handler } from '../lib/http/endpoint.ts'
import { createHttpServer } from '../lib/http/server.ts'
import { createContext } from './_context.ts'

const failing = (path: string) =>
  handler({
    method: 'GET',
    path,
    auth: 'none',
    summary: '',
    answers: {},
    query: z.object({ code: z.string().optional(), message: z.string() }),
    handle: (_, { query: { code, message } }) => {
      throw Object.assign(new Error(message), code && { code })
    },
  })

/** A server whose endpoints fail as they are told to, the lines of its log, and a clock that is moved by hand. */
async function serve() {
  const lines: Record<string, unknown>[] = []
  const log = pino({ level: 'info', base: null }, { write: (line: string) => void lines.push(JSON.parse(line)) })
  const ctx = await createContext({}, { log })
  const server = createHttpServer(ctx, [failing('/one'), failing('/other')])
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => server.closeAllConnections())
  const { port } = server.address() as AddressInfo
  const fail = async (count: number, path: string) => {
    const asked = Array.from({ length: count }, () => fetch(`http://127.0.0.1:${port}${path}`))
    return new Set((await Promise.all(asked)).map(({ status }) => status))
  }
  vi.useFakeTimers({ toFake: ['setTimeout'] })
  onTestFinished(() => void vi.useRealTimers())
  const withMessage = (msg: string) => lines.filter((line) => line.msg === msg)
  return { fail, withMessage, secondPasses: () => void vi.advanceTimersByTime(1_000) }
}

const DOWN = '?code=ECONNREFUSED&message=down'

test('in an outage, ten requests a second and route are logged, and one line says how many others failed', async () => {
  const { fail, withMessage, secondPasses } = await serve()
  expect(await fail(25, `/one${DOWN}`)).toEqual(new Set([503]))
  await fail(12, `/other${DOWN}`)
  const routes = () => withMessage('request').map(({ route }) => route)
  expect(routes()).toEqual([...Array(10).fill('/one'), ...Array(10).fill('/other')])
  expect(withMessage('request')[0]).toEqual({
    level: 50,
    time: expect.any(Number),
    msg: 'request',
    method: 'GET',
    route: '/one',
    status: 503,
    requestId: expect.any(String),
    ms: expect.any(Number),
  })
  expect(withMessage('the database is unavailable')).toHaveLength(10)
  expect(withMessage('request: further ones alike')).toEqual([])
  secondPasses()
  expect(withMessage('request: further ones alike')).toEqual([
    expect.objectContaining({ level: 50, method: 'GET', route: '/one', status: 503, more: 15 }),
    expect.objectContaining({ level: 50, method: 'GET', route: '/other', status: 503, more: 2 }),
  ])
  expect(withMessage('the database is unavailable: further ones alike')).toEqual([
    expect.objectContaining({ level: 40, reason: 'down', more: 27 }),
  ])
  await fail(3, `/one${DOWN}`)
  secondPasses()
  expect(routes()).toHaveLength(23)
  expect(withMessage('request: further ones alike')).toHaveLength(2)
})

test('an unexpected error that was not seen in this second is always logged, with its request', async () => {
  const { fail, withMessage, secondPasses } = await serve()
  const messages = Array.from({ length: 20 }, (_, i) => `mistake ${i}`)
  expect(await fail(25, '/one?message=same')).toEqual(new Set([500]))
  for (const message of messages) await fail(1, `/one?message=${message}`)
  const logged = withMessage('request failed').map(({ err }) => (err as Error).message)
  expect(logged).toEqual([...Array(10).fill('same'), ...messages])
  const ids = (msg: string) => withMessage(msg).map(({ requestId }) => requestId)
  expect(ids('request')).toEqual(ids('request failed'))
  secondPasses()
  expect(withMessage('request failed: further ones alike')).toEqual([
    expect.objectContaining({ err: expect.objectContaining({ message: 'same' }), more: 15 }),
  ])
})
