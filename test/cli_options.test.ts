import { expect, test } from 'vitest'
import { idOf, momentAgo, momentAhead, tokenCount } from '../cli/_options.ts'
import { unknownSettings } from '../cli/_unknown_settings.ts'
import { closest } from '../lib/words.ts'

test.each([
  ['0', 0],
  ['1500', 1_500],
  ['1,000,000', 1_000_000],
  ['1_000_000', 1_000_000],
  ['500k', 500_000],
  ['5M', 5_000_000],
  ['5m', 5_000_000],
  ['1.5M', 1_500_000],
  ['0.001k', 1],
  ['2B', 2_000_000_000],
  ['1,000k', 1_000_000],
])('%s tokens are %i', (text, tokens) => expect(tokenCount(text)).toBe(tokens))

test.each([
  '',
  '1.5',
  '1,5',
  '1,00',
  '1,0000',
  '1.0005k',
  '5G',
  '-5',
  '5 M',
  '1e6',
  '0x10',
  '1__0_',
  'k',
  '1.k',
  'NaN',
])("'%s' is no number of tokens", (text) =>
  expect(() => tokenCount(text)).toThrow('whole number of tokens like 1500, 1,000,000, 500k'),
)

test('a time is RFC 3339, a date, or relative to now', () => {
  const DAY_MS = 86_400_000
  const near = (text: string, ms: number) => expect(Math.abs(Date.parse(text) - Date.now() - ms)).toBeLessThan(60_000)
  near(momentAhead('90d'), 90 * DAY_MS)
  near(momentAhead('1y'), 365 * DAY_MS)
  near(momentAhead('12h'), DAY_MS / 2)
  near(momentAgo('2w'), -14 * DAY_MS)
  expect(momentAgo('2026-01-31')).toBe('2026-01-31T00:00:00Z')
  expect(momentAhead('2027-01-31T12:00:00+02:00')).toBe('2027-01-31T12:00:00+02:00')
  for (const text of ['', 'soon', '1x', '2026-02-30', '2027-01-31 12:00', '99999y', '5m', '1.5d', '-1d'])
    expect(() => momentAhead(text)).toThrow('It must be a time like 2027-01-31T12:00:00Z, a day')
})

test('ids, names and keys are told apart, and a key is never echoed', () => {
  const keyId = idOf('a key', 'flagmeter key list')
  const id = '2c1f7c3e-6f0d-4a53-8a0e-3b5a7e6d9c21'
  expect(keyId(id)).toBe(id)
  expect(() => keyId('billing')).toThrow("'billing' is not the id of a key: `flagmeter key list` shows the ids")
  expect(() => keyId('fm_secret')).toThrow(/^that is the key itself, not its id: `flagmeter key list` shows the ids$/)
})

test.each([
  ['dashbord', 'dashboard'],
  ['rolup', 'rollup'],
  ['rollup', 'rollup'],
  ['xyz', undefined],
])('%s is near %s', (word, found) => expect(closest(word, ['dashboard', 'rollup', 'prune'])).toBe(found))

test('a variable that looks like a setting is reported with the nearest one; unrelated ones are ignored', () => {
  const env = {
    PATH: '/bin',
    PORT: '3000',
    FLAGMETER_DIR: '/x',
    FLAGMETER_PORT: '3000',
    FLAGMETER_DATABASE_URL: 'postgres://u:secret@h/x',
    FLAGMETER_KEYS: 'x',
    FLAGMETER_SOMETHING_ELSE: 'x',
    FLAGMETER_VERSION: '1.0.0',
    FLAGMETER_SERVICE_HOST: '10.0.0.1',
    FLAGMETER_PORT_3000_TCP_ADDR: '10.0.0.1',
  }
  expect(unknownSettings(env)).toEqual([
    'FLAGMETER_PORT is not a setting: did you mean PORT?',
    'FLAGMETER_DATABASE_URL is not a setting: did you mean DATABASE_URL?',
    'FLAGMETER_KEYS is not a setting: did you mean FLAGMETER_KEY?',
    'FLAGMETER_SOMETHING_ELSE is not a setting',
  ])
  expect(unknownSettings({ FLAGMETER_PORT: 'tcp://10.0.0.1:3000' })).toEqual([])
})
