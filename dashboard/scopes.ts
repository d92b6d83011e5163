import type { Scope } from '../lib/auth/scope.ts'

/** What a key may do. */
export const SCOPES: Scope[] = ['ingest', 'read', 'admin']
