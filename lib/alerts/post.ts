import { type LookupAddress, promises as dns } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { callbackify } from 'node:util'
import { isPublicAddress, urlMistake } from './public_address.ts'

/** From the look-up of the name to the end of the answer. */
const TIMEOUT_MS = 10_000
/** What is read of an answer, at most; nothing in it is used. */
const ANSWER_BYTES = 64 * 1024

/** A message to send to a receiver somewhere on the Internet. */
export interface Outgoing {
  url: string
  headers: Record<string, string>
  body: string
  /** Allows http, and private addresses. */
  allowPrivate: boolean
}

/** What the receiver said. */
export interface Reply {
  status: number
  /** The header, as it came. */
  retryAfter?: string
}

/** The URL leads, or its name resolved, to an address that messages must not go to. */
export class ForbiddenAddress extends Error {
  readonly code = 'FORBIDDEN_ADDRESS'
}

/**
 * Posts a message over a connection of its own. No redirect is followed.
 * An address is checked where the connection is made, and that very address is connected to: what a name resolves to
 * a moment later makes no difference. If one address of a name is forbidden, none is tried. For an address in the URL
 * itself Node calls no look-up: `urlMistake` has seen it.
 * @throws ForbiddenAddress, a TimeoutError, or a connection error; the outcome may then be unknown
 */
export async function post({ url, headers, body, allowPrivate }: Outgoing): Promise<Reply> {
  const mistake = urlMistake(url, allowPrivate)
  if (mistake !== undefined) throw new ForbiddenAddress(`the URL ${mistake}`)
  // Loaded when there is something to send: the client costs a process 20 MB.
  const { default: undici } = await import('undici')
  const { origin, pathname, search } = new URL(url)
  // pipelining 0: no keep-alive. A kept connection may be closing as it is written to, and the outcome would be
  // unknown.
  const connect = { timeout: TIMEOUT_MS, ...(!allowPrivate && { lookup }) }
  const client = new undici.Client(origin, { connect, allowH2: false, pipelining: 0 })
  const signal = AbortSignal.timeout(TIMEOUT_MS)
  try {
    const answer = await client.request({ method: 'POST', path: pathname + search, headers, body, signal })
    await answer.body.dump({ limit: ANSWER_BYTES, signal }).catch(() => {}) // the status is the answer
    const retryAfter = answer.headers['retry-after']
    return { status: answer.statusCode, ...(typeof retryAfter === 'string' && { retryAfter }) }
  } finally {
    await client.destroy()
  }
}

/** DNS itself, not the system's look-up: that takes a thread of a small pool until a silent name server gives up. */
export const resolver = new dns.Resolver({ timeout: 2_000, tries: 2 })

const lookup: LookupFunction = (name, options, callback) =>
  callbackify(resolvePublic)(name, (error, addresses) => {
    if (error) callback(error, '')
    else if (options.all) callback(null, addresses)
    else callback(null, addresses[0]!.address, addresses[0]!.family)
  })

/** Every address of a name. @throws ForbiddenAddress if one of them is not public */
async function resolvePublic(name: string): Promise<LookupAddress[]> {
  const [v4, v6] = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)])
  const addresses = [
    ...(v4.status === 'fulfilled' ? v4.value.map((address) => ({ address, family: 4 })) : []),
    ...(v6.status === 'fulfilled' ? v6.value.map((address) => ({ address, family: 6 })) : []),
  ]
  if (addresses.length === 0) throw v4.status === 'rejected' ? v4.reason : new Error('no address')
  if (!addresses.every(({ address }) => isPublicAddress(address))) {
    throw new ForbiddenAddress('the name resolves to an address that is not public')
  }
  return addresses
}
