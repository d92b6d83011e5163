import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { takeBody } from '../lib/http/body.ts'
import { Hold, Room } from '../lib/http/body_memory.ts'
import { survey } from '../lib/http/body_scan.ts'
import { type HttpHandler, InvalidJson } from '../lib/http/endpoint.ts'
import { Problem } from '../lib/problem.ts'
import { createRandom } from './_random.ts'

const MIB = 1024 * 1024
const endpoint = { maxBodyBytes: 8 * MIB, maxEvents: 10_000 } as HttpHandler

/** The parsed body of these chunks, or the code of its problem. */
async function take(pieces: (Buffer | string)[], type = 'application/json'): Promise<unknown> {
  const headers = { 'content-type': type }
  const req = Object.assign(Readable.from(pieces.map((piece) => Buffer.from(piece))), { headers })
  try {
    return await takeBody(req as unknown as IncomingMessage, endpoint, new Hold(new Room(32 * MIB)))
  } catch (error) {
    if (error instanceof Problem) return error.code
    throw error
  }
}

test('a long array parsed in parts gives the same result as parsed whole', async () => {
  const random = createRandom()
  const values = [
    '"',
    '\\',
    '\\"',
    '],[',
    '{"a":[1,2]}',
    '模, 😀',
    ' ',
    1.5e300,
    null,
    true,
    [],
    {},
    [[1, [2]], { x: [3] }],
  ]
  for (let run = 0; run < 20; run++) {
    const events = Array.from({ length: 2_000 }, () => ({
      [random.pick(['tenant', 'a"b', ','])]: random.pick(values),
      text: JSON.stringify(random.pick(values)).repeat(random.below(40)),
    }))
    const body = Buffer.from(` ${JSON.stringify(events, null, random.below(3))}\n`)
    const found = survey(body, 10_000, false)
    expect([random.seed, found]).toEqual([random.seed, { weight: expect.any(Number), cuts: expect.any(Array) }])
    expect([random.seed, await take([body.subarray(0, 1000), body.subarray(1000)])]).toEqual([random.seed, events])
  }
})

const long = JSON.stringify('x'.repeat(200_000))
test.each([
  ['without an element between two commas', `[${long},${' '.repeat(200_000)},1]`],
  ['with a comma at its end', `[${long},${long},]`],
  ['with something after it', `[${long},${long}] x`],
  ['and another', `[${long},${long}],[${long},${long}]`],
  ['that is not closed', `[${long},${long},1`],
  ['that is closed by a brace', `[${long},${long},1}`],
  ['with a broken element', `[${long},${long},{"a":}]`],
  ['with brackets that cross', `[[${long},${long},{],1,}]`],
  ['with a line break in a string', `[${long},"\n,${'x'.repeat(200_000)}",1]`],
])('a long array %s is not valid JSON', async (_, body) => {
  expect(() => JSON.parse(body)).toThrow()
  expect(await take([body])).toBe('invalid_json')
})

test('the size of a batch is checked before it is parsed', async () => {
  const events = (count: number, text: string) => `[${Array.from({ length: count }, () => text).join(',')}]`
  expect(await take([events(10_000, '0')])).toHaveLength(10_000)
  expect(await take([events(10_001, '0')])).toBe('batch_too_large')
  expect(await take([' '.repeat(2_000) + events(10_001, '0')])).toBe('batch_too_large')
  expect(await take([events(10_000, '{"a":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}')])).toHaveLength(10_000)
  expect(await take([events(10_000, '{"a":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}')])).toBe('body_too_large')
  expect(await take([`{${'"a":0,'.repeat(1_000)}"a":0}`])).toBe('body_too_large')
  expect(await take([`[${'"'.repeat(2)},"\\\\",${'{"a,:[":"\\",:[{"},'.repeat(9_000)}0]`])).toHaveLength(9_003)
})

test('lines are counted before they are parsed; empty ones do not count', async () => {
  const type = 'application/x-ndjson'
  expect(await take(['{"a":1}\r\n\r\n'.repeat(10_000)], type)).toHaveLength(10_000)
  expect(await take(['{"a":1}\n'.repeat(10_001)], type)).toBe('batch_too_large')
  expect(await take(['\n'.repeat(20_001)], type)).toBe('batch_too_large')
  expect(await take(['1\n{\n"x"'], type)).toEqual([1, expect.any(InvalidJson), 'x'])
  // An unclosed quote hides nothing in the following lines.
  expect(await take([`"\n[${'0,'.repeat(400)}0]\n`.repeat(1_000)], type)).toBe('body_too_large')
  expect(await take([`"\\\n[${'0,'.repeat(400)}0]\n`.repeat(1_000)], type)).toBe('body_too_large')
})

test('a body may arrive in chunks of any size, but not in too many', async () => {
  const text = JSON.stringify({ tenant: 'x'.repeat(15_000) })
  expect(await take(text.split(''))).toEqual(JSON.parse(text))
  const sizes = [1, 5_000, 3, 4_096, 4_095, 2, 10_000]
  let at = 0
  expect(await take(sizes.map((size) => text.slice(at, (at += size))))).toEqual(JSON.parse(text))
  expect(await take(' '.repeat(20_001).split(''))).toBe('body_too_large')
})

const codeOf = (act: () => void): string | undefined => {
  try {
    act()
  } catch (error) {
    return (error as Problem).code
  }
}

const holdIn = (room: Room) => (holder: string) => Object.assign(new Hold(room), { holder })

test('one holder gets a third of the memory, all large requests three quarters; the rest is for small ones', () => {
  const hold = holdIn(new Room(32 * MIB))
  const one = hold('one')
  one.add(8 * MIB)
  expect(codeOf(() => hold('one').add(1 * MIB))).toBe('rate_limited')
  hold('one').add(1_000)
  const others = ['two', 'three', 'four'].map((name) => {
    const other = hold(name)
    return codeOf(() => other.add(7.9 * MIB))
  })
  expect(others).toEqual([undefined, undefined, 'unavailable'])
  hold('four').add(1_000)
  one.release()
  hold('four').add(7.9 * MIB)
  hold('one').add(100_000)
})

test('large bodies are processed one after another', async () => {
  const hold = holdIn(new Room(32 * MIB))
  const order: string[] = []
  const start = async (name: string, weight: number) => {
    const mine = hold(name)
    await mine.work(weight)
    order.push(name)
    return mine
  }
  const first = await start('first', 20 * MIB)
  const second = start('second', 5 * MIB)
  const third = start('third', 2 * MIB)
  const fourth = start('fourth', 2 * MIB)
  expect(order).toEqual(['first'])
  first.release()
  await Promise.all([second, third])
  expect(order).toEqual(['first', 'second', 'third'])
  ;(await second).release()
  await fourth
})
