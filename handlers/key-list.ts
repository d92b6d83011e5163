import { ApiKey, listKeys } from '../lib/admin/keys.ts'
import { listing } from '../lib/page.ts'
import * as examples from '../lib/site/examples.ts'

/** The keys of a tenant, or of all, the newest first, with those that were revoked or have expired. */
export default listing({
  path: '/api/keys',
  operationId: 'listKeys',
  tag: 'Keys',
  auth: 'admin',
  tenancy: 'all',
  summary: 'Keys, the newest first',
  page: { id: 'ApiKeyPage', key: 'keys', item: ApiKey, example: examples.apiKey, description: 'A page of keys.' },
  list: listKeys,
})
