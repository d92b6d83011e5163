import { expect, test } from 'vitest'
import { SETTINGS, parseConfig } from '../lib/config.ts'

test('every setting has the same name in the code and in the environment, but for prefix and unit', () => {
  for (const { property, variable } of SETTINGS) {
    const words = variable.replace(/^FLAGMETER_/, '').toLowerCase()
    const name = words.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())
    const inOurUnit = name.replace(/(Age|Retention)Days$|(Ahead)Seconds$/, '$1$2Ms').replace(/Mb$/, 'Bytes')
    expect(property).toBe(inOurUnit)
  }
  expect(new Set(SETTINGS.map(({ variable }) => variable)).size).toBe(SETTINGS.length)
})

test('a setting is in the unit of its property; its default is documented in that of its variable', () => {
  const day = 24 * 60 * 60 * 1000
  const set = parseConfig({ EVENT_MAX_AGE_DAYS: '2', EVENT_MAX_AHEAD_SECONDS: '3', BODY_MEMORY_MB: '64' })
  expect(set).toMatchObject({ eventMaxAgeMs: 2 * day, eventMaxAheadMs: 3_000, bodyMemoryBytes: 64 * 2 ** 20 })
  expect(parseConfig({})).toMatchObject({ eventRetentionMs: 42 * day, corsOrigins: [], port: 3000 })
  expect(SETTINGS.find(({ variable }) => variable === 'EVENT_RETENTION_DAYS')).toMatchObject({ fallback: 42 })
})

test('an empty variable is unset, and what nobody has set is absent', () => {
  expect(parseConfig({ PORT: '', API_PORT: '4000', VALKEY_URL: '' })).toMatchObject({ port: 4000 })
  expect(Object.keys(parseConfig({ VALKEY_URL: '', FLAGMETER_KEY: undefined }))).not.toEqual(
    expect.arrayContaining([expect.stringMatching(/^(valkeyUrl|key|databaseUrl|metricsPort)$/)]),
  )
  expect(parseConfig({ VALKEY_URL: 'valkeys://host' }).valkeyUrl).toBe('rediss://host')
})

test('every mistake is named, by its variable', () => {
  expect(() => parseConfig({ LIMIT_EVENTS: '5', EVENT_MAX_AGE_DAYS: 'x', FLAGMETER_URL: 'secret' })).toThrow(
    /^EVENT_MAX_AGE_DAYS must.+\nLIMIT_EVENTS must.+\nFLAGMETER_URL must be a URL like [^\n]+$/,
  )
  expect(() => parseConfig({ EVENT_MAX_AGE_DAYS: '36' })).toThrow(/^EVENT_RETENTION_DAYS must be at least/)
})
