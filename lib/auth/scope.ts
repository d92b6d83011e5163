import { z } from 'zod'

/** What a key may do; `admin` includes the others. */
export const SCOPES = ['ingest', 'read', 'admin'] as const
export const Scope = z
  .enum(SCOPES)
  .meta({ id: 'Scope', description: 'What a key may do; `admin` includes the others.' })
export type Scope = z.infer<typeof Scope>

/** Who may call: anyone, or a key with this scope. */
export type Access = 'none' | Scope

/**
 * How a key that is bound to a tenant is kept to it. named: the input has a `tenant`, which the adapter checks, or
 * fills in where it may be left out. own: the handler itself looks at `caller`. all: such a key may not call at all.
 */
export type Tenancy = 'named' | 'own' | 'all'
