import { SETTINGS } from '../lib/config.ts'
import { closest } from '../lib/words.ts'

const PREFIX = 'FLAGMETER_'
/** The image's tag, in the `.env` of compose. */
const IMAGE_TAG = 'FLAGMETER_VERSION'
/** Kubernetes sets these in every container if a service is called `flagmeter`. */
const OF_A_SERVICE = /^FLAGMETER_(SERVICE_(HOST|PORT)|PORT_\d)/

/** One line per variable that looks like a setting but is not: a typo would be ignored silently. */
export function unknownSettings(env: Record<string, string | undefined>): string[] {
  const known = SETTINGS.map(({ variable }) => variable)
  const byEnding = new Map(known.map((name) => [withoutPrefix(name), name]))
  return Object.entries(env).flatMap(([name, value = '']) => {
    const isOther = name === IMAGE_TAG || OF_A_SERVICE.test(name) || value.startsWith('tcp://')
    if (!name.startsWith(PREFIX) || known.includes(name) || isOther) return []
    const meant = closest(withoutPrefix(name), [...byEnding.keys()])
    return [`${name} is not a setting${meant === undefined ? '' : `: did you mean ${byEnding.get(meant)}?`}`]
  })
}

const withoutPrefix = (name: string): string => name.replace(PREFIX, '')
