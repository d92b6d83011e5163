import type { Scope } from './handler.ts'
import { asUuid } from './event.ts'
import { Problem } from './problem.ts'

/** Who calls: what is known of the key. */
export interface Caller {
  keyId: string
  keyName: string
  scopes: Scope[]
  /** The only tenant it may speak of, and its name; undefined: any. */
  tenantId?: string
  tenantName?: string
  /** When its key or its session ends, in milliseconds since 1970; undefined: never. */
  expiresAt?: number
}

/** Of a caller, the tenant it is bound to; null: none. */
export type Bound = { readonly tenantId?: string | null }

/** Whoever calls an endpoint that needs no key. */
export const ANYONE: Caller = { keyId: '', keyName: '', scopes: [] }

/** How the audit log names a caller. */
export const actorOf = ({ keyId, keyName }: Caller): string => `key ${keyName} (${keyId})`

/** `admin` may do what the other scopes may. */
export const hasScope = ({ scopes }: Caller, scope: Scope): boolean =>
  scopes.includes(scope) || scopes.includes('admin')

/** Whether the caller may speak of the tenant of this name or id. The answer is the same whether there is such a tenant or not. */
export function mayName({ tenantId, tenantName }: Caller, ref: unknown): boolean {
  if (tenantId === undefined) return true
  return ref === tenantName || (typeof ref === 'string' && asUuid(ref) === tenantId)
}

/** The problem of a key that names another tenant than its own. */
export const otherTenant = (): Problem =>
  new Problem('forbidden', {
    detail: 'this key is bound to another tenant',
    errors: [{ field: 'tenant', detail: 'is not the tenant of this key' }],
  })
