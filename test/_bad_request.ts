import type { HttpHandler } from '../lib/http/endpoint.ts'
import { KEY } from './_key.ts'
import type { Random } from './_random.ts'

const TEXTS = [
  '',
  'x',
  '%',
  '%00',
  '%zz',
  '%c3%28',
  '..',
  '../../etc/passwd',
  "'; drop table events;--",
  '{{7*7}}',
  '😀',
  '\u0000',
  'a'.repeat(300),
]
const VALUES = [
  '1',
  '0',
  '-1',
  '1e999',
  '9007199254740993',
  'null',
  'true',
  '"x"',
  '[]',
  '{}',
  '{"__proto__":{"x":1}}',
  '"\\ud800"',
  '"\\u0000"',
  'NaN',
  '',
]

/** The bytes of a request to one of the endpoints, mostly with something wrong in it; always finite. */
export function badRequest(random: Random, endpoints: HttpHandler[]): Buffer {
  const { below, pick } = random
  const endpoint = pick(endpoints)
  const method = pick([
    endpoint.method,
    endpoint.method,
    endpoint.method,
    'POST',
    'GET',
    'DELETE',
    'PUT',
    'HEAD',
    'OPTIONS',
    'TRACE',
    'post',
    'FOO',
    'G@T',
  ])
  let path = endpoint.path.replaceAll(/:\w+/g, () => (below(2) ? 'acme-corp' : encodeOrNot(random, pick(TEXTS))))
  if (below(4) === 0)
    path += pick([
      '?',
      '?limit=x',
      '?after=%00',
      '?x=1',
      '?tenant=nobody',
      '?a&b&c',
      `?${'q=1&'.repeat(50)}`,
      '/',
      '//',
      '/%2e%2e/',
      '#x',
    ])
  if (below(20) === 0)
    path = pick([
      '*',
      '/',
      '//evil.example/',
      'http://evil.example/api/events',
      '/api',
      '/API/EVENTS',
      `/${'a/'.repeat(200)}`,
      ' /x',
      '/\t',
    ])
  const authorization = below(8)
    ? `Bearer ${KEY}`
    : pick(['', 'Bearer', 'Bearer x', `Basic ${KEY}`, `Bearer ${KEY}x`, `bearer  ${KEY}`, 'Bearer \u00e9'])
  const type = below(4)
    ? 'application/json'
    : pick([
        'application/x-ndjson',
        'text/plain',
        '',
        'application/json; charset=utf-16',
        'multipart/form-data',
        'APPLICATION/JSON',
        ';;;',
      ])
  const body = badBody(random)
  const fields = [`host: x`, 'connection: close']
  if (authorization) fields.push(`authorization: ${authorization}`)
  if (type) fields.push(`content-type: ${type}`)
  if (below(20) === 0)
    fields.push(
      pick([
        'content-encoding: gzip',
        'expect: 100-continue',
        'expect: x',
        'idempotency-key: \u0001',
        `idempotency-key: ${'k'.repeat(300)}`,
        'x-request-id: a b',
        `x-long: ${'h'.repeat(20_000)}`,
        'bad header',
        ': x',
        'upgrade: websocket',
        'x-forwarded-for: ,,,',
        'content-type: text/plain',
      ]),
    )
  // The framing of the body, mostly right: a truncated one waits for its time-out, so it must be rare.
  const framing = below(200)
  let framed = body
  if (framing === 0) fields.push(`content-length: ${body.length + 5}`)
  else if (framing < 6)
    fields.push(
      pick([
        'content-length: -1',
        'content-length: x',
        'content-length: 1, 2',
        'transfer-encoding: x',
        'transfer-encoding: chunked, chunked',
        `content-length: ${body.length}\r\ncontent-length: 1`,
      ]),
    )
  else if (framing < 12) {
    fields.push('transfer-encoding: chunked', ...(below(2) ? [`content-length: ${body.length}`] : []))
    framed = Buffer.from(
      pick([
        '0\r\n\r\n',
        'zz\r\n',
        '-1\r\n',
        'ffffffffffffffff\r\nx',
        '3\r\n{}x\r\n0\r\n\r\n',
        '1;ext=1\r\n{\r\n0\r\n\r\n',
      ]),
    )
  } else if (framing < 40) {
    fields.push('transfer-encoding: chunked')
    framed = Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')])
    if (body.length === 0) framed = Buffer.from('0\r\n\r\n')
  } else fields.push(`content-length: ${body.length}`)
  const version = below(100) === 0 ? pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/9', 'http/1.1', '']) : 'HTTP/1.1'
  const head = Buffer.from(
    `${method} ${path} ${version}\r\n${fields.join('\r\n')}\r\n\r\n`,
    below(2) ? 'utf8' : 'latin1',
  )
  const bytes = Buffer.concat([head, framed])
  if (below(100) === 0) bytes[below(Math.min(bytes.length, 200))] = below(256) // a flipped byte, somewhere in the head
  return bytes
}

const encodeOrNot = ({ below }: Random, text: string): string => (below(2) ? encodeURIComponent(text) : text)

function badBody(random: Random): Buffer {
  const { below, pick } = random
  const fields = ['tenant', 'feature', 'tokens', 'id', 'timestamp', 'name', 'url', 'kind', 'scopes', 'thresholds', 'x']
  const object = () => `{${Array.from({ length: below(5) }, () => `"${pick(fields)}":${pick(VALUES)}`).join(',')}}`
  switch (below(12)) {
    case 0:
      return Buffer.from(pick(VALUES))
    case 1:
      return Buffer.from(pick(['[', '{"a":', '"', '[1,]', '{a:1}', "{'a':1}", '\ufeff{}', '[]]', 'undefined']))
    case 2:
      return Buffer.from('['.repeat(1 + below(20_000)) + (below(2) ? '' : ']'.repeat(5)))
    case 3:
      return Buffer.from([0xff, 0xfe, 0x7b, 0x7d, below(256), below(256)])
    case 4:
      return Buffer.from(
        '{"tenant":"acme-corp","feature":"x","tokens":1,"timestamp":' +
          `${pick(['"2020-01-01T00:00:00Z"', '"9999-12-31T23:59:59Z"', '"x"', '0'])}}`,
      )
    case 5:
      return Buffer.from(`[${Array.from({ length: below(30) }, object).join(',')}]`)
    case 6:
      return below(50) === 0 ? Buffer.alloc(70_000 + below(9_000_000), 'x') : Buffer.from(`${object()}\n${object()}`)
    case 7:
      return Buffer.alloc(0)
    default:
      return Buffer.from(object())
  }
}
