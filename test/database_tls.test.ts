import { writeFile } from 'node:fs/promises'
import { type AddressInfo, type Socket, createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openDatabase } from '../lib/store/connection.ts'
import { query } from '../lib/store/database.ts'
import { isUnavailable } from '../lib/store/outage.ts'
import { startCli } from './_cli.ts'
import { createDatabase } from './_context.ts'
import { emptyFolder } from './_folder.ts'
import { createProxy } from './_proxy.ts'
import { CERTIFICATE, startTlsPostgres } from './_tls.ts'

function open(databaseUrl: string) {
  const database = openDatabase({ databaseUrl, databasePoolSize: 1 })
  onTestFinished(() => database.end({ timeout: 0 }))
  return database
}

/** Whether a connection is encrypted, or the code of what prevents it. */
async function isEncrypted(url: string): Promise<unknown> {
  const text = 'select ssl from pg_stat_ssl where pid = pg_backend_pid()'
  return await query<{ ssl: boolean }>(open(url), text).then(
    ([row]) => row!.ssl,
    (error: { code: string }) => error.code,
  )
}

test('sslmode says whether a connection is encrypted, and whether the certificate is verified', async () => {
  const [tls, plain] = [await startTlsPostgres(), await createDatabase()]
  const modes = ['disable', 'prefer', 'allow', 'require', 'verify-ca', 'verify-full']
  const found = async (url: string) =>
    await Promise.all(modes.map(async (mode) => [mode, await isEncrypted(`${url}?sslmode=${mode}`)]))
  expect(Object.fromEntries(await found(tls))).toEqual({
    disable: false,
    prefer: true,
    allow: true,
    require: true,
    'verify-ca': 'DEPTH_ZERO_SELF_SIGNED_CERT',
    'verify-full': 'DEPTH_ZERO_SELF_SIGNED_CERT',
  })
  expect(Object.fromEntries(await found(plain))).toEqual({
    disable: false,
    prefer: false,
    allow: '08001',
    require: '08001',
    'verify-ca': '08001',
    'verify-full': '08001',
  })
  expect([await isEncrypted(tls), await isEncrypted(plain)]).toEqual([false, false])
  expect(await isEncrypted(`${tls}?sslmode=require&sslnegotiation=direct`)).toBe(true)
})

test('a certificate is good for its own host, and for a CA of NODE_EXTRA_CA_CERTS', async () => {
  const url = await startTlsPostgres()
  const ca = join(await emptyFolder(), 'ca.pem')
  await writeFile(ca, CERTIFICATE)
  const check = async (host: string) => {
    const DATABASE_URL = `${url.replace('127.0.0.1', host)}?sslmode=verify-full`
    const { out } = await startCli(['config', 'check'], { DATABASE_URL, NODE_EXTRA_CA_CERTS: ca }).finished
    return /^.*database.*$/m.exec(out)?.[0]
  }
  expect(await check('localhost')).toMatch(/PostgreSQL \d+, migrated/)
  expect(await check('127.0.0.1')).toMatch(/does not match certificate's altnames/)
})

test('a pool whose connections fail before they are encrypted tells why, and goes on', async () => {
  const proxy = await createProxy(`${await startTlsPostgres()}?sslmode=require`)
  const database = open(proxy.url)
  const ask = () => query(database, 'select 1 as one')
  for (let round = 0; round < 3; round++) {
    proxy.set('closed')
    await expect(ask()).rejects.toSatisfy(isUnavailable)
    proxy.set('open')
    expect(await ask().catch(ask)).toEqual([{ one: 1 }])
  }
})

test('a server that does not answer the request for TLS is given up after 5 seconds', async () => {
  const sockets: Socket[] = []
  const server = createServer((socket) => void sockets.push(socket)).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => {
    sockets.forEach((socket) => socket.destroy())
    server.close()
  })
  const { port } = server.address() as AddressInfo
  const asked = open(`postgres://nobody@127.0.0.1:${port}/none?sslmode=require`)`select 1`
  await expect(asked).rejects.toMatchObject({ code: 'CONNECT_TIMEOUT' })
})
