import type { FieldError } from './api_types.ts'

/** Longer than this, and a person should know. */
const TIMEOUT_MS = 15_000

/** An error from the server, from its problem document; status 0: it did not answer. */
export class ApiError extends Error {
  readonly status: number
  readonly errors: FieldError[]
  /** Whether the request may succeed if repeated soon. */
  get isPassing(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500
  }
  constructor(status: number, message: string, errors: FieldError[] = []) {
    super(message)
    this.status = status
    this.errors = errors
  }
}

let sessionEnded = (): void => {}
/** Called whenever the server says that nobody is signed in. */
export const onSessionEnd = (handler: () => void): void => void (sessionEnded = handler)

/** Sends a request to the API, with the session's cookie. @throws ApiError */
export async function ask<T>(method: string, path: string, body?: object, headers = {}): Promise<T> {
  let answer: Response
  try {
    answer = await fetch(path, {
      method,
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
      signal: AbortSignal.timeout(TIMEOUT_MS),
      ...(body && { body: JSON.stringify(body) }),
    })
  } catch {
    throw new ApiError(0, 'The server does not answer. Try again.')
  }
  const document = answer.status === 204 ? undefined : await answer.json().catch(() => ({}))
  if (answer.ok) return document as T
  if (answer.status === 401) sessionEnded()
  throw new ApiError(answer.status, document.detail ?? document.title ?? `status ${answer.status}`, document.errors)
}

/** All items of a listing, page by page. */
export async function askAll<T>(path: string, key: string, atPage: (items: T[]) => void = () => {}): Promise<T[]> {
  const items: T[] = []
  const separator = path.includes('?') ? '&' : '?'
  for (let next: string | undefined = ''; next !== undefined;) {
    const after: string = next === '' ? '' : `&after=${encodeURIComponent(next)}`
    const page: Record<string, T[]> & { next?: string } = await ask('GET', `${path}${separator}limit=1000${after}`)
    items.push(...page[key]!)
    atPage(page[key]!)
    next = page.next
  }
  return items
}

/** The path of an endpoint, with its parameters escaped. */
export const pathOf = (strings: TemplateStringsArray, ...parts: string[]): string =>
  strings.reduce((path, text, i) => path + encodeURIComponent(parts[i - 1]!) + text)
