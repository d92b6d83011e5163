import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { request } from 'undici'
import { expect, test } from 'vitest'
import { createTestServer } from './_context.ts'

const fetchAsset = async (url: string, encoding?: string) => {
  const answer = await request(url, { headers: encoding === undefined ? {} : { 'accept-encoding': encoding } })
  return { headers: answer.headers, body: Buffer.from(await answer.body.arrayBuffer()) }
}
const linksOf = (html: string) => [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link]) => link!)

test('the page loads only what carries its nonce, new each time, and nothing from other hosts', async () => {
  const { get } = await createTestServer()
  const nonces = new Set<string>()
  for (const path of ['/', '/tenants/acme-corp', '/tenants/%3Cscript%3Ealert(1)%3C%2Fscript%3E', '/docs']) {
    const { status, body, headers } = await get(path, { authorization: '' })
    expect([status, headers.get('content-type')]).toEqual([200, 'text/html; charset=utf-8'])
    expect(headers.get('cache-control')).toBe('no-store')
    const policy = headers.get('content-security-policy')!
    const [, nonce] = /script-src 'nonce-([^']{20,})'(?:;|$)/.exec(policy)!
    nonces.add(nonce!)
    for (const part of [
      "default-src 'none'",
      `style-src 'nonce-${nonce}'`,
      "connect-src 'self'",
      "frame-ancestors 'none'",
    ])
      expect(policy.split('; ')).toContain(part)
    expect(policy).not.toMatch(/unsafe|https?:|\*/)
    expect(body.match(/<(script|link rel="stylesheet")[^>]*>/g)).toHaveLength(2)
    expect(body.split(`nonce="${nonce}"`)).toHaveLength(3)
    expect(body).not.toMatch(/<script[^>]*>[^<]|style=|alert|https?:/)
    for (const link of linksOf(body)) expect(link).toMatch(/^\/assets\/\w+-\w{8}\.(js|css|svg)$/)
  }
  expect(nonces.size).toBe(4)
})

test('its files are compressed and cached forever; the first load is under 120 KB', async () => {
  const { url, get } = await createTestServer()
  const page = (await get('/')).body as string
  let bytes = page.length
  for (const link of linksOf(page)) {
    const plain = await fetchAsset(url + link)
    const [br, gzip] = [await fetchAsset(url + link, 'gzip, deflate, br'), await fetchAsset(url + link, 'gzip')]
    expect([br.headers['content-encoding'], gzip.headers['content-encoding']]).toEqual(['br', 'gzip'])
    expect(plain.headers['content-encoding']).toBe(undefined)
    expect([brotliDecompressSync(br.body).equals(plain.body), gunzipSync(gzip.body).equals(plain.body)]).toEqual([
      true,
      true,
    ])
    expect((await fetchAsset(url + link, 'br; q=0.0, gzip;q=0.5')).headers['content-encoding']).toBe('gzip')
    expect(plain.headers['cache-control']).toBe('public, max-age=31536000, immutable')
    expect(plain.headers.vary).toBe('accept-encoding, origin')
    bytes += br.body.length
  }
  expect(bytes).toBeLessThan(120 * 1024)
  for (const path of ['/assets/x.js', '/assets/..%2Fcli%2Fmain.js', '/assets/files.json', '/assets/'])
    expect([path, (await get(path)).status]).toEqual([path, 404])
})
