import type { Scope } from '../../lib/handler.ts'

/** What a key may do. */
export const SCOPES: Scope[] = ['ingest', 'read', 'admin']
