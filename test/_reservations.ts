import type { TestServer } from './_context.ts'

/** The body of a reservation: 100 tokens for acme-corp. */
export const want = (fields: object = {}) => ({ tenant: 'acme-corp', feature: 'x', tokens: 100, ...fields })

/** [used, reserved] of each quota, the monthly one first. */
export const counters = async ({ get }: TestServer, tenant = 'acme-corp') =>
  (await get(`/api/usage/${tenant}`)).body.quotas.map((quota: any) => [quota.totalTokens, quota.reservedTokens])

/** The calls a client makes. */
export const reserve = async ({ post }: TestServer, fields: object = {}, key?: string) =>
  post('/api/reservations', want(fields), key === undefined ? {} : { 'idempotency-key': key })
export const settle = async ({ post }: TestServer, id: string, tokens: number) =>
  post(`/api/reservations/${id}/settle`, { tokens })
export const release = async ({ post }: TestServer, id: string) => post(`/api/reservations/${id}/release`, {})
/** Lets every reservation expire now. */
export const expire = (server: TestServer) =>
  server.ctx.database`update reservations set expires_at = now() - interval '1 second'`
