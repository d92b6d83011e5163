import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Caller } from './caller.ts'
import { Instant } from '../schema.ts'
import { Scope } from './scope.ts'
import * as examples from '../site/examples.ts'

/** How long a browser stays signed in, unless its key ends before. */
export const SESSION_MS = 7 * 24 * 60 * 60 * 1000

/** Who is signed in. */
export const Session = z
  .object({
    keyName: z.string().describe('The name of the key that signed in.'),
    scopes: z.array(Scope),
    tenant: z.guid().describe('The only tenant it may speak of; absent: any.').optional(),
    tenantName: z.string().optional(),
    dimensions: z.array(z.string()).describe('The dimensions that events may use: `DIMENSIONS`.'),
    expiresAt: Instant.describe('When the session or its key ends; absent: never.').optional(),
  })
  .meta({ id: 'Session', description: 'Who calls, and what they may do.', examples: [examples.session] })
export type Session = z.infer<typeof Session>

/** The session document of a caller; `expiresAt` is missing when its key never ends. */
export const toSession = (
  { keyName, scopes, tenantId, tenantName, expiresAt }: Caller,
  dimensions: string[],
): Session => ({
  keyName,
  scopes,
  dimensions,
  ...(tenantId !== undefined && { tenant: tenantId, tenantName }),
  ...(expiresAt !== undefined && { expiresAt: new Date(expiresAt).toISOString() }),
})

/** A new session: 256 random bits, which a browser keeps as a cookie. Stored, like a key, as its SHA-256 alone. */
export const newSession = (): string => `fs_${randomBytes(32).toString('base64url')}`

/** Whether a text has the shape of a session. */
export const isSession = (text: string): boolean => /^fs_[\w-]{43}$/.test(text)

const LOOPBACK = /^(localhost|[\w.-]+\.localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i

/**
 * Off loopback the prefix keeps other hosts of the domain, and plain HTTP, from setting it (RFC 6265bis, section
 * 4.1.3.2).
 */
const cookieName = (host: string): string => (LOOPBACK.test(host) ? 'flagmeter' : '__Host-flagmeter')

/** The session in a Cookie header, for the server that the browser calls `host`. */
export function readSession(cookies: string | undefined, host: string): string | undefined {
  const start = `${cookieName(host)}=`
  const session = cookies
    ?.split(/; */)
    .find((pair) => pair.startsWith(start))
    ?.slice(start.length)
  return session !== undefined && isSession(session) ? session : undefined
}

/** The Set-Cookie header that keeps a session for this long; 0 ends it. No script sees it, no other site sends it. */
export function sessionCookie(host: string, session: string, ms: number): string {
  const name = cookieName(host)
  const flags = `Path=/; HttpOnly; SameSite=Strict; Max-Age=${Math.floor(ms / 1000)}`
  return `${name}=${session}; ${flags}${name.startsWith('__Host-') ? '; Secure' : ''}`
}

/**
 * Whether an Origin header is the page's own: SameSite keeps other sites out, this also other hosts of the same site,
 * and off loopback a page that came over plain HTTP, which anybody on the way may have written.
 */
export function isOwnOrigin(origin: string | undefined, host: string): boolean {
  if (origin === undefined || !URL.canParse(origin)) return false
  const url = new URL(origin)
  return (
    url.host === host.toLowerCase() && (url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(host)))
  )
}
