import type { IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'
import { type Caller, hasScope, otherTenant, tenantRef } from '../auth/caller.ts'
import type { Context } from '../context.ts'
import type { HttpHandler } from './endpoint.ts'
import type { KeyFault } from '../auth/key_cache.ts'
import { keyMistake } from '../auth/key.ts'
import { Problem } from '../problem.ts'
import { isOwnOrigin, readSession, sessionCookie } from '../auth/session.ts'

const FAULTS: Record<Exclude<KeyFault, 'mistyped'>, string> = {
  unknown: 'this server does not know this key; flagmeter key create makes one',
  revoked: 'this key was revoked',
  expired: 'this key has expired',
}

/** Finds out who calls, and whether they may. A promise only when the key must be looked up. @throws Problem */
export function authorize(ctx: Context, endpoint: HttpHandler, req: IncomingMessage): Caller | Promise<Caller> {
  const { authorization, cookie } = req.headers
  const [, key] = /^bearer +(?!fs_)(\S+) *$/i.exec(authorization ?? '') ?? []
  if (key === undefined && authorization === undefined && cookie !== undefined) {
    const caller = authorizeSession(ctx, endpoint, req)
    if (caller) return caller
  }
  if (key === undefined) {
    // RFC 6750, section 3.1: no error code when there was no attempt.
    throw new Problem(
      'unauthorized',
      { detail: 'send a key as Authorization: Bearer fm_…' },
      { 'www-authenticate': 'Bearer' },
    )
  }
  const caller = ctx.keys.known(key)
  return caller ? permit(endpoint, caller) : lookUp(ctx, endpoint, req, key)
}

/**
 * The caller of the browser that is signed in; undefined: it is not. A browser sends its cookie by itself, so a change
 * must come from our page.
 */
function authorizeSession(
  ctx: Context,
  endpoint: HttpHandler,
  req: IncomingMessage,
): Caller | Promise<Caller> | undefined {
  const host = hostOf(req, ctx.config.trustedProxies)
  const session = readSession(req.headers.cookie, host)
  if (session === undefined) return undefined
  if (req.method !== 'GET' && req.method !== 'HEAD' && !isOwnOrigin(req.headers.origin, host))
    throw new Problem('forbidden', {
      detail:
        'a browser that is signed in may make changes only from the dashboard itself, and sends its Origin with them',
    })
  const caller = ctx.keys.known(session)
  if (caller) return permit(endpoint, caller)
  return lookUp(ctx, endpoint, req, session).catch((error: unknown) => {
    if (!(error instanceof Problem) || error.code !== 'unauthorized') throw error
    throw new Problem(
      'unauthorized',
      { detail: 'the session has ended; sign in again' },
      { ...error.headers, 'set-cookie': sessionCookie(host, '', 0) },
    )
  })
}

async function lookUp(ctx: Context, endpoint: HttpHandler, req: IncomingMessage, key: string): Promise<Caller> {
  // Looked up first: whatever others behind the same address try, a right key is let in. A thousand look-ups are one
  // query.
  const found = await ctx.keys.find(key)
  if (typeof found !== 'string') return permit(endpoint, found)
  ctx.limits.guessedWrong(addressOf(req, ctx.config.trustedProxies))
  const detail = found === 'mistyped' ? `this is not a key: ${keyMistake(key) ?? 'it is mistyped'}` : FAULTS[found]
  throw new Problem('unauthorized', { detail }, { 'www-authenticate': 'Bearer error="invalid_token"' })
}

function permit(endpoint: HttpHandler, caller: Caller): Caller {
  if (endpoint.auth !== 'none' && !hasScope(caller, endpoint.auth)) {
    throw new Problem(
      'forbidden',
      { detail: `this needs a key with the scope ${endpoint.auth}` },
      { 'www-authenticate': `Bearer error="insufficient_scope", scope="${endpoint.auth}"` },
    )
  }
  if (caller.tenantId !== undefined && (endpoint.tenancy ?? 'all') === 'all') {
    throw new Problem('forbidden', { detail: 'this needs a key that is bound to no tenant' })
  }
  if (caller.user !== undefined && endpoint.auth !== 'none' && !endpoint.isForUsers) {
    throw new Problem('forbidden', { detail: 'this needs a key that is bound to no user' })
  }
  return caller
}

/** Takes the call from the limits of the key and of its tenant. @throws Problem rate_limited */
export function takeRequest({ limits }: Context, { keyId, tenantId }: Caller): Promise<unknown> | undefined {
  const ofKey = limits.take('requests', keyId, 1)
  const ofTenant = tenantId === undefined ? undefined : limits.take('requests', tenantId, 1)
  return ofKey || ofTenant ? Promise.all([ofKey, ofTenant]) : undefined
}

/**
 * Input of an endpoint that names a tenant, for a key that is bound to one: its id, filled in or instead of its name.
 * @throws Problem forbidden
 */
export function bindTenant<T>(caller: Caller, input: T): T {
  if (caller.tenantId === undefined || typeof input !== 'object' || input === null || Array.isArray(input)) return input
  const given = 'tenant' in input ? input.tenant : undefined
  const tenant = given === undefined ? caller.tenantId : tenantRef(caller, given)
  if (tenant === undefined) throw otherTenant()
  return { ...input, tenant }
}

/** What the caller calls this server: behind proxies, what the first of them was called. */
export function hostOf({ headers }: IncomingMessage, trustedProxies: number): string {
  const forwarded = trustedProxies > 0 ? headers['x-forwarded-host']?.toString().split(',')[0]?.trim() : undefined
  return forwarded || (headers.host ?? '')
}

/** Where a request comes from: an IPv4 address, or the /64 of an IPv6 one, which is a single customer's. */
export function addressOf(req: IncomingMessage, trustedProxies: number): string {
  const direct = req.socket.remoteAddress ?? ''
  // Each proxy appends the address it was called from: of `trustedProxies` entries from the right we know who wrote
  // them.
  const noted =
    trustedProxies > 0 ? req.headers['x-forwarded-for']?.toString().split(',').at(-trustedProxies)?.trim() : undefined
  const address = noted !== undefined && isIP(noted) !== 0 ? noted : direct
  if (isIP(address) === 0) return address
  const parsed = ipaddr.process(address)
  return parsed instanceof ipaddr.IPv6 ? parsed.parts.slice(0, 4).join(':') : parsed.toString()
}
