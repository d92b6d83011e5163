import { asUuid } from '../schema.ts'
import { Problem, type ProblemExtra } from '../problem.ts'
import { quote } from '../words.ts'

/** There is no tenant of this name or id. */
export class UnknownTenant extends Problem {
  readonly ref: string

  constructor(ref: string, nearest?: string) {
    super('tenant_not_found', unknownTenant(ref, nearest))
    this.ref = ref
  }
}

/** The problem of a tenant that does not exist; `nearest` is the name of one that does. */
export function unknownTenant(ref: string, nearest?: string): ProblemExtra {
  const isId = asUuid(ref) !== null
  const hint = nearest === undefined ? '' : `; did you mean ${quote(nearest)}?`
  const mistake = `${isId ? ref : quote(ref)} does not exist${hint}`
  const help = isId
    ? 'GET /api/tenants and flagmeter tenant list show the ids'
    : 'POST /api/tenants and flagmeter tenant create make one'
  return {
    detail: `tenant ${mistake}${hint === '' ? '; ' : ' '}${help}`,
    errors: [{ field: 'tenant', detail: mistake }],
  }
}
