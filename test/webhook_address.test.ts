import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { Socket, createServer } from 'node:net'
import { beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { post, resolver } from '../lib/alerts/post.ts'
import { isPublicAddress, urlMistake } from '../lib/alerts/public_address.ts'
import { createTestServer } from './_context.ts'

/** Every address that a socket of this process begins to connect to. */
const attempts: string[] = []

beforeEach(() => {
  attempts.length = 0
  const connect = Socket.prototype.connect as (this: Socket, ...args: any[]) => Socket
  vi.spyOn(Socket.prototype, 'connect').mockImplementation(function watched(this: Socket, ...args: any[]) {
    this.prependListener('connectionAttempt', (ip: string) => {
      attempts.push(ip)
      setImmediate(() => this.destroy(new Error('stopped by the test'))) // nothing leaves this machine
    })
    return connect.apply(this, args)
  })
  onTestFinished(() => void vi.restoreAllMocks())
})

const send = (url: string) => post({ url, headers: {}, body: '{}', allowPrivate: false })

/** Spellings of an IPv4 address that URL parsers accept: RFC 3986, inet_aton, characters that IDNA maps to ASCII. */
function spellings(address: string): string[] {
  const [a, b, c, d] = address.split('.').map(Number) as [number, number, number, number]
  const whole = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0
  const hex = (n: number) => `0x${n.toString(16)}`
  const octal = (n: number) => `0${n.toString(8)}`
  const high = hex((a << 8) | b).slice(2)
  const low = hex((c << 8) | d).slice(2)
  return [
    address,
    `${address}.`,
    String(whole),
    hex(whole),
    hex(whole).toUpperCase().replace('0X', '0X'),
    octal(whole),
    [a, b, c, d].map(hex).join('.'),
    [a, b, c, d].map(octal).join('.'),
    `${a}.${(b << 16) | (c << 8) | d}`,
    `${a}.${b}.${(c << 8) | d}`,
    `${hex(a)}.${octal(b)}.${(c << 8) | d}`,
    [a, b, c, d].map((n) => `00${octal(n)}`).join('.'),
    address.replaceAll('.', '。'),
    address.replaceAll('.', '｡'),
    address.replaceAll(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
    address.replaceAll(/\d/g, (digit) => String.fromCodePoint(0x1d7d8 + Number(digit))),
    address.replaceAll(/./g, (char) => `%${char.codePointAt(0)!.toString(16)}`),
    `[::ffff:${address}]`,
    `[::ffff:${high}:${low}]`,
    `[0:0:0:0:0:FFFF:${high}:${low}]`,
    `[::${address}]`,
    `[::ffff:0:${address}]`,
    `[64:ff9b::${address}]`,
    `[64:ff9b:1::${high}:${low}]`,
    `[2002:${high}:${low}::1]`,
    `[2001:0:${high}:${low}::1]`,
  ]
}

const V4 = ['127.0.0.1', '127.8.8.8', '10.1.2.3', '172.16.0.9', '172.31.255.254', '192.168.1.1', '169.254.169.254']
  .concat(['100.64.0.1', '100.100.100.200', '0.0.0.0', '0.1.2.3', '192.0.0.192', '198.18.0.1', '192.0.2.7'])
  .concat(['224.0.0.1', '240.0.0.1', '255.255.255.255', '168.63.129.16'])

const FORBIDDEN = V4.flatMap(spellings)
  .concat(['[::]', '[::1]', '[0:0:0:0:0:0:0:1]', '[::0001]', '[fe80::1]', '[febf::1]', '[fc00::1]', '[fd00:ec2::254]'])
  .concat([
    '[fec0::1]',
    '[ff02::1]',
    '[100::1]',
    '[2001:db8::1]',
    '[3fff::1]',
    '[5f00::1]',
    '[2001:2::1]',
    '[2001:10::1]',
  ])
  .concat(['localhost', 'LOCALHOST', 'localhost.', 'a.localhost', 'ｌｏｃａｌｈｏｓｔ'])
  .map((host) => `https://${host}/hook`)

test('the list has at least 200 spellings, most of which a URL parser takes', () => {
  const parsed = FORBIDDEN.filter((url) => URL.canParse(url))
  expect(new Set(parsed).size).toBeGreaterThan(400)
})

test('a forbidden address is refused in every spelling, and never connected to', async () => {
  for (const url of FORBIDDEN) {
    expect([url, urlMistake(url, false)]).toEqual([url, expect.stringMatching(/private or local|must be a URL/)])
    await expect(send(url)).rejects.toThrow(/^the URL must/)
  }
  expect(attempts).toEqual([])
})

test('the API refuses it too, and says which field', async () => {
  vi.restoreAllMocks() // this test needs connections to the server and its database
  const { request } = await createTestServer()
  for (const url of [
    ...FORBIDDEN.filter((_, i) => i % 40 === 0),
    'http://example.com/',
    'ftp://example.com',
    'x',
    'https://u:p@example.com/',
  ]) {
    const { status, body } = await request('POST', '/api/webhooks', { tenant: 'acme-corp', kind: 'slack', url })
    expect([url, status, body.code, body.errors[0].field]).toEqual([url, 400, 'invalid_request', 'url'])
  }
})

test('public addresses are recognised as such, and nothing else is', () => {
  for (const address of ['8.8.8.8', '1.1.1.1', '172.15.0.1', '172.32.0.1', '100.63.0.1', '100.128.0.1', '169.253.0.1'])
    expect([address, isPublicAddress(address)]).toEqual([address, true])
  for (const address of ['2606:4700::1111', '2a00:1450:4001::8a']) expect(isPublicAddress(address)).toBe(true)
  for (const text of ['', 'example.com', '1.2.3', '1.2.3.4.5', '::g'])
    expect([text, isPublicAddress(text)]).toEqual([text, false])
})

/** A name server that answers the n-th A query with the n-th of these lists, and other types with nothing. */
async function createNameServer(answers: string[][]): Promise<void> {
  const server = createSocket('udp4')
  let asked = 0
  server.on('message', (question, from) => {
    const end = question.indexOf(0, 12) + 5
    const isA = question.readUInt16BE(end - 4) === 1
    const addresses = isA ? answers[Math.min(asked++, answers.length - 1)]! : []
    const header = Buffer.from(question.subarray(0, 12))
    header.writeUInt16BE(0x8180, 2)
    header.writeUInt16BE(addresses.length, 6)
    header.writeUInt32BE(0, 8)
    const records = addresses.map((address) =>
      Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4, ...address.split('.').map(Number)]),
    )
    server.send(Buffer.concat([header, question.subarray(12, end), ...records]), from.port, from.address)
  })
  server.bind(0, '127.0.0.1')
  await once(server, 'listening')
  const before = resolver.getServers()
  resolver.setServers([`127.0.0.1:${server.address().port}`])
  onTestFinished(() => {
    resolver.setServers(before)
    server.close()
  })
}

test('a name that resolves to a public, then to a private address is connected to at the checked one', async () => {
  let connections = 0
  const target = createServer(() => connections++).listen(0, '127.0.0.1')
  await once(target, 'listening')
  onTestFinished(() => void target.close())
  const url = `https://rebind.test:${(target.address() as AddressInfo).port}/hook`
  await createNameServer([['8.8.8.8'], ['127.0.0.1'], ['127.0.0.1']])
  await expect(send(url)).rejects.toThrow('stopped by the test')
  expect(attempts).toEqual(['8.8.8.8'])
  await expect(send(url)).rejects.toThrow('the name resolves to an address that is not public')
  await expect(send(url)).rejects.toThrow('the name resolves to an address that is not public')
  expect([attempts, connections]).toEqual([['8.8.8.8'], 0])
})

test('a name with public and private addresses is not connected to at all', async () => {
  await createNameServer([['8.8.8.8', '10.0.0.1']])
  await expect(send('https://mixed.test/hook')).rejects.toThrow('not public')
  expect(attempts).toEqual([])
})

test.each(V4)('a name that resolves to %s opens no connection', async (address) => {
  await createNameServer([[address]])
  await expect(send('https://inside.test/hook')).rejects.toThrow('not public')
  expect(attempts).toEqual([])
})
