import { createHash, randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const RANDOM_LENGTH = 30
const KEY = /^fm_([0-9A-Za-z]{30})([0-9A-Za-z]{6})$/

/** A new key: `fm_`, 30 random base62 characters (178 bits) and six of checksum. */
export function newKey(): string {
  const random = Array.from({ length: RANDOM_LENGTH }, () => ALPHABET[randomInt(62)]).join('')
  return `fm_${random}${checksum(random)}`
}

/** Whether a text is a key with the right checksum: a mistyped one is refused without a look at the database. */
export function isKey(text: string): boolean {
  const [, random, sum] = KEY.exec(text) ?? []
  return random !== undefined && checksum(random) === sum
}

/** The SHA-256 of a key, in hex: all that is stored. The key is random enough that it needs no salt. */
export const hashKey = (key: string): string => createHash('sha256').update(key).digest('hex')

/** The beginning of a key, to tell keys apart in a listing. */
export const hintOf = (key: string): string => `${key.slice(0, 'fm_'.length + 4)}…`

/** CRC-32 in six base62 characters. */
function checksum(random: string): string {
  let rest = crc32(random)
  let text = ''
  for (let i = 0; i < 6; i++, rest = Math.floor(rest / 62)) text = ALPHABET[rest % 62] + text
  return text
}
