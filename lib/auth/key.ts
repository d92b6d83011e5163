import { createHash, randomInt } from 'node:crypto'
import { crc32 } from 'node:zlib'

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const RANDOM_LENGTH = 30
const PREFIX = 'fm_'
const SUM_LENGTH = 6

/** A new key: `fm_`, 30 random base62 characters (178 bits) and six of checksum. */
export function newKey(): string {
  const random = Array.from({ length: RANDOM_LENGTH }, () => ALPHABET[randomInt(62)]).join('')
  return `${PREFIX}${random}${checksum(random)}`
}

/** Whether a text is a key with the right checksum: a mistyped one is refused without a look at the database. */
export const isKey = (text: string): boolean => keyMistake(text) === undefined

/** What keeps a text from being a key; undefined: nothing. It repeats nothing of it, and anybody can compute it. */
export function keyMistake(text: string): string | undefined {
  const rest = text.slice(PREFIX.length)
  if (!text.startsWith(PREFIX)) return `a key begins with ${PREFIX}`
  if (rest.length !== RANDOM_LENGTH + SUM_LENGTH)
    return `a key has ${RANDOM_LENGTH + SUM_LENGTH} characters after ${PREFIX}, and this has ${rest.length}`
  if (!/^[0-9A-Za-z]+$/.test(rest)) return `a key has only letters and digits after ${PREFIX}`
  const isRight = checksum(rest.slice(0, RANDOM_LENGTH)) === rest.slice(RANDOM_LENGTH)
  return isRight ? undefined : 'its checksum does not match, so a character of it is wrong'
}

/** The SHA-256 of a key, in hex: all that is stored. The key is random enough that it needs no salt. */
export const hashKey = (key: string): string => createHash('sha256').update(key).digest('hex')

/** The beginning of a key, to tell keys apart in a listing. */
export const hintOf = (key: string): string => `${key.slice(0, PREFIX.length + 4)}…`

/** CRC-32 in six base62 characters. */
function checksum(random: string): string {
  let rest = crc32(random)
  let text = ''
  for (let i = 0; i < SUM_LENGTH; i++, rest = Math.floor(rest / 62)) text = ALPHABET[rest % 62] + text
  return text
}
