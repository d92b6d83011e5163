import type { Scope } from './scope.ts'
import { asUuid } from '../schema.ts'
import { Problem } from '../problem.ts'

/** What is known of the key of a request. An endpoint that needs no key gets no caller. */
export interface Caller {
  keyId: string
  keyName: string
  scopes: Scope[]
  /** The only tenant it may speak of, and its name; undefined: any. */
  tenantId?: string
  tenantName?: string
  /** The only user of that tenant it may speak of; undefined: any. */
  user?: string
  /** When its key or its session ends, in milliseconds since 1970; undefined: never. */
  expiresAt?: number
  /** How the audit log names it, when it is not a key. */
  actor?: string
}

/** Of a caller, the tenant it is bound to; null: none. */
export type Bound = { readonly tenantId?: string | null }

/** How the audit log names a caller. */
export const actorOf = ({ actor, keyId, keyName }: Caller): string => actor ?? `key ${keyName} (${keyId})`

/** `admin` may do what the other scopes may. */
export const hasScope = ({ scopes }: Caller, scope: Scope): boolean =>
  scopes.includes(scope) || scopes.includes('admin')

/**
 * By what the tenant that a caller names is found. A key that is bound to one continues with its id: a name may have
 * moved to another tenant before it is looked up. undefined: the caller may not speak of that tenant, whether there is
 * one or not.
 */
export function tenantRef<Ref>({ tenantId, tenantName }: Caller, ref: Ref): Ref | string | undefined {
  if (tenantId === undefined) return ref
  return ref === tenantName || (typeof ref === 'string' && asUuid(ref) === tenantId) ? tenantId : undefined
}

/** The user that a caller speaks of: its own, or the one it names. @throws Problem forbidden */
export function userOf({ user }: Caller, named: string | undefined): string | undefined {
  if (user === undefined || named === undefined || named === user) return user ?? named
  throw otherUser()
}

/** The problem of a key that names another user than its own. */
export const otherUser = (): Problem =>
  new Problem('forbidden', {
    detail: 'this key is bound to another user',
    errors: [{ field: 'user', detail: 'is not the user of this key' }],
  })

/** The problem of a key that names another tenant than its own. */
export const otherTenant = (): Problem =>
  new Problem('forbidden', {
    detail: 'this key is bound to another tenant',
    errors: [{ field: 'tenant', detail: 'is not the tenant of this key' }],
  })
