import type { IncomingMessage } from 'node:http'
import type { Answer } from './answer_types.ts'

/** What a page of another origin may read (Fetch standard, "CORS protocol"). Without CORS_ORIGINS, nothing. */
export function corsHeaders(req: IncomingMessage, origins: string[]): Record<string, string> {
  if (origins.length === 0) return {}
  const { origin } = req.headers
  if (origin === undefined || !origins.includes(origin)) return { vary: 'origin' }
  return {
    vary: 'origin',
    'access-control-allow-origin': origin,
    'access-control-expose-headers': 'retry-after, ratelimit, ratelimit-policy, x-request-id',
  }
}

/**
 * Answers what a browser asks before a request. `corsHeaders` says whether the origin may proceed: keys are no
 * cookies.
 */
export const preflight = (req: IncomingMessage, methods: readonly string[]): Answer => ({
  status: 204,
  headers: {
    allow: methods.join(', '),
    ...(req.headers['access-control-request-method'] !== undefined && {
      'access-control-allow-methods': methods.join(', '),
      'access-control-allow-headers': 'authorization, content-type, idempotency-key, x-request-id',
      'access-control-max-age': '600',
    }),
  },
})
