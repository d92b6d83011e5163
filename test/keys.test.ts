import { describe, expect, test } from 'vitest'
import { hashKey, isKey, newKey } from '../lib/auth/key.ts'
import { createTestServer } from './_context.ts'

const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

describe('a key', () => {
  test('has 30 random characters and a checksum that catches any one mistyped', () => {
    const key = newKey()
    expect(key).toMatch(/^fm_[0-9A-Za-z]{36}$/)
    expect(isKey(key)).toBe(true)
    for (let i = 3; i < key.length; i++) {
      const typo = key.slice(0, i) + (key[i] === 'x' ? 'y' : 'x') + key.slice(i + 1)
      expect([typo, isKey(typo)]).toEqual([typo, false])
    }
    for (const text of [
      '',
      'fm_',
      key.slice(1),
      `${key}x`,
      key.toLowerCase() === key ? 'x' : key.toLowerCase(),
      ` ${key}`,
    ])
      expect([text, isKey(text)]).toEqual([text, false])
    expect(new Set(Array.from({ length: 1000 }, newKey)).size).toBe(1000)
  })

  test('is stored only as its SHA-256, and shown once', async () => {
    const { ctx, post, get } = await createTestServer()
    const made = await post('/api/keys', { name: 'app', scopes: ['ingest', 'ingest'], tenant: 'acme-corp' })
    expect(made.status).toBe(201)
    expect(made.body).toMatchObject({
      name: 'app',
      scopes: ['ingest'],
      tenantName: 'acme-corp',
      key: expect.stringMatching(/^fm_/),
    })
    const [row] = await ctx.database`select encode(hash, 'hex') as hash from api_keys where id = ${made.body.id}`
    expect(row!.hash).toBe(hashKey(made.body.key))
    const everything = JSON.stringify([
      (await get('/api/keys')).body,
      (await get('/api/audit')).body,
      await ctx.database`select to_jsonb(api_keys) - 'hash' as row from api_keys`,
    ])
    expect(everything).toContain(made.body.hint)
    expect(everything).not.toContain(made.body.key.slice(7))
    expect(everything).not.toContain(row!.hash)
  })

  test('notes its last use', async () => {
    const { ctx, post, get } = await createTestServer()
    const { id, key, lastUsedAt } = (await post('/api/keys', { name: 'app', scopes: ['read'] })).body
    expect(lastUsedAt).toBe(undefined)
    await get('/api/usage', bearer(key))
    const [row] = await ctx.database`select last_used_at from api_keys where id = ${id}`
    expect(Date.now() - row!.last_used_at.getTime()).toBeLessThan(60_000)
  })
})
