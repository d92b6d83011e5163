import { type Socket, connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { until } from '../_context.ts'
import { isStress } from '../_counts.ts'
import { KEY } from '../_key.ts'
import { OWN_MODES, type OwnTarget, startOwnTarget, watchOthers } from './_rig.ts'

const BODY_BYTES = 8 * 1024 * 1024
const NDJSON = { 'content-type': 'application/x-ndjson' }

const event = (fields: object = {}) => ({ tenant: 'acme-corp', feature: 'x', tokens: 1, ...fields })
const times = (count: number, text: (i: number) => string) => Array.from({ length: count }, (_, i) => text(i))

/** Bodies that are costly to read, and the answers they get. */
const HOSTILE: [name: string, body: string, status: number, code: string, headers?: Record<string, string>][] = [
  ['4 million short lines', 'x\n'.repeat(BODY_BYTES / 2), 413, 'batch_too_large', NDJSON],
  ['8 million empty lines', '\n'.repeat(BODY_BYTES), 413, 'batch_too_large', NDJSON],
  ['values after an open quote', `"\n[0${',0'.repeat(400)}]\n`.repeat(5_000), 413, 'body_too_large', NDJSON],
  ['4 million elements', `[${'0,'.repeat(BODY_BYTES / 2 - 2)}0]`, 413, 'batch_too_large'],
  ['900,000 unknown fields', `{${times(900_000, (i) => `"${i.toString(36)}":0`).join(',')}}`, 413, 'body_too_large'],
  [
    '1,000 long unknown fields',
    `{${times(1_000, (i) => `"${i}-${'x'.repeat(8_000)}":0`).join(',')}}`,
    400,
    'invalid_request',
  ],
  ['1,001 unknown fields', `{${times(1_001, (i) => `"${i}":0`).join(',')}}`, 413, 'body_too_large'],
  [
    '120 events of 1,000 unknown fields',
    `[${times(120, (i) => `{${times(1_000, (j) => `"${i}-${j}-${'x'.repeat(45)}":0`).join(',')}}`).join(',')}]`,
    207,
    'invalid_request',
  ],
  ['a million times the same field', `{${'"a":0,'.repeat(1_000_000)}"a":0}`, 413, 'body_too_large'],
  ['4 million nested brackets', '['.repeat(BODY_BYTES / 2) + ']'.repeat(BODY_BYTES / 2), 413, 'body_too_large'],
  ['a million nested objects', '{"a":'.repeat(1_000_000), 413, 'body_too_large'],
  [
    'a tenant of 8 million characters',
    JSON.stringify(event({ tenant: 'x'.repeat(BODY_BYTES - 100) })),
    400,
    'invalid_request',
  ],
  ['a number of 8 million digits', `{"tokens":${'9'.repeat(BODY_BYTES - 100)}}`, 400, 'invalid_request'],
  [
    '__proto__ ten thousand times',
    `[${times(10_000, () => '{"__proto__":{"tenant":"acme-corp"}}').join(',')}]`,
    207,
    'invalid_request',
  ],
  [
    '10,000 events with ten mistakes each',
    `[${times(10_000, (i) => `{${times(10, (j) => `"${'\\u0000'.repeat(10)}${i}-${j}":0`).join(',')}}`).join(',')}]`,
    207,
    'invalid_request',
  ],
  ['10,000 events that are no events', `[${'0,'.repeat(9_999)}0]`, 207, 'invalid_request'],
  ['10,000 broken lines', 'x\n'.repeat(10_000), 207, 'invalid_json', NDJSON],
]

describe.each(isStress ? OWN_MODES : OWN_MODES.slice(0, 1))('$mode', ({ isSkipped, withValkey }) => {
  test.skipIf(isSkipped)('a body that is costly to read costs nobody else anything', async () => {
    const target = await startOwnTarget({ withValkey })
    const key = await target.keyOf('acme-corp')
    const expectUnharmed = await watchOthers(target)
    for (const [name, body, status, code, headers] of HOSTILE) {
      const answer = await target.send('POST', '/api/events', key, body, headers)
      const problem = answer.json.results?.[0].problem ?? answer.json
      expect([name, answer.status, problem.code]).toEqual([name, status, code])
      if (status === 207) expect(answer.json).toMatchObject({ success: false, accepted: 0 })
    }
    // And all at once.
    if (isStress)
      await Promise.all(
        HOSTILE.map(([, body, , , headers]) => target.send('POST', '/api/events', key, body, headers).catch(() => {})),
      )
    await expectUnharmed()
  })

  test.skipIf(isSkipped)('a hundred uploads that never end cost nobody else anything', async () => {
    const target = await startOwnTarget({ withValkey })
    const keys = [await target.keyOf('acme-corp'), await target.keyOf('acme-corp', 'ingest')]
    const expectUnharmed = await watchOthers(target)
    const uploads = times(100, (i) => keys[i % 2]!).map((key) => upload(target, key))
    const refused = () => uploads.map(({ status }) => status()).filter((status) => status !== undefined)
    await until(() => refused().length > 90)
    expect(new Set(refused())).toEqual(new Set([429]))
    await expectUnharmed()
  })

  test.skipIf(isSkipped)(
    'uploads of many tenants reach the limit of the memory, and small events still get through',
    async () => {
      const target = await startOwnTarget({ withValkey })
      const names = times(8, (i) => `tenant-${i}`)
      for (const name of names) await target.send('POST', '/api/tenants', KEY, { name })
      const keys = await Promise.all(names.map((name) => target.keyOf(name)))
      const expectUnharmed = await watchOthers(target)
      const uploads = keys.map((key) => upload(target, key))
      await until(() => uploads.some(({ status }) => status() === 503))
      await expectUnharmed()
    },
  )

  test.skipIf(isSkipped)('simultaneous batches of 10,000 events, large ones too, hold nobody up', async () => {
    const target = await startOwnTarget({ withValkey })
    const key = await target.keyOf('acme-corp')
    const expectUnharmed = await watchOthers(target)
    let count = 0
    const batch = (fields: object) =>
      JSON.stringify(Array.from({ length: 10_000 }, () => event({ id: String(count++), ...fields })))
    const bodies = [
      ...times(5, (i) => batch({ feature: `f${i}` })),
      batch({ feature: 'x'.repeat(200), tenant: 'acme-corp' }),
    ]
    const answers = await Promise.all(bodies.map((body) => target.send('POST', '/api/events', key, body)))
    expect(answers.map(({ status }) => status)).toEqual(bodies.map(() => 201))
    await expectUnharmed()
  })

  test.skipIf(isSkipped)(
    'one-byte chunks, unread answers and pipelined requests cost nobody else anything',
    async () => {
      const target = await startOwnTarget({ withValkey })
      const key = await target.keyOf('acme-corp')
      const expectUnharmed = await watchOthers(target)
      const tiny = open(target, head(key, 'transfer-encoding: chunked'))
      tiny.socket.write('1\r\nx\r\n'.repeat(1_000_000))
      await sleep(500)
      const bad = `[${'0,'.repeat(9_999)}0]`
      // A hundred clients send ten requests each and read none of their 1.9 MB answers.
      for (let i = 0; i < 100; i++) open(target, (head(key, `content-length: ${bad.length}`) + bad).repeat(10), true)
      await sleep(500)
      const row = open(target, 'GET /api/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(50_000))
      await until(() => tiny.status() !== undefined && row.socket.destroyed)
      expect(tiny.status()).toBe(413)
      await expectUnharmed()
    },
  )
})

const head = (key: string, fields: string) =>
  `POST /api/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${key}\r\n` +
  `content-type: application/json\r\n${fields}\r\n\r\n`

/** A connection that sends this and stays; deaf: it never reads. */
function open({ url }: OwnTarget, text: string, isDeaf = false): { socket: Socket; status: () => number | undefined } {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname).on('error', () => {})
  onTestFinished(() => void socket.destroy())
  let answer = ''
  if (isDeaf) socket.pause()
  else socket.on('data', (data) => (answer += data.toString('latin1')))
  socket.write(text)
  return { socket, status: () => (answer ? Number(answer.slice(9, 12)) : undefined) }
}

/** Announces a body of 8 MiB and sends all of it but the last byte. */
function upload(target: OwnTarget, key: string) {
  const opened = open(target, head(key, `content-length: ${BODY_BYTES}`))
  opened.socket.write(Buffer.alloc(BODY_BYTES - 1, ' '))
  return opened
}
