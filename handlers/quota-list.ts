import { Quota, listQuotas } from '../lib/admin/quotas.ts'
import { listing } from '../lib/page.ts'
import * as examples from '../lib/site/examples.ts'

/** The quotas of a tenant, or of all, in addition to the monthly ones, the oldest first. */
export default listing({
  path: '/api/quotas',
  operationId: 'listQuotas',
  tag: 'Quotas',
  auth: 'read',
  tenancy: 'named',
  summary: 'The quotas of a tenant, or of all, in addition to the monthly ones',
  page: { id: 'QuotaPage', key: 'quotas', item: Quota, example: examples.quota, description: 'A page of quotas.' },
  list: listQuotas,
})
