import type { Tenant } from './api_types.ts'
import type { Live } from './live.ts'

/** What a part of the page needs to know about its tenant. */
export interface PartProps {
  tenant: Tenant
  live: Live
  /** Whether the session may change it. */
  mayChange: boolean
}
