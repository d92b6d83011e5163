import type { Scope } from './api_types.ts'

/** What a key may do. */
export const SCOPES: Scope[] = ['ingest', 'read', 'admin']
