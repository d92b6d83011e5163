import { open, readFile } from 'node:fs/promises'

/** One event as the books must show it. */
export interface SentEvent {
  tenantId: string
  /** As the product stores it. */
  id: string
  feature: string
  tokens: number
  createdAt: number
}

/** The client's record: an append-only file, fsynced before the next step. */
export interface Ledger {
  /** Before a request goes out. Returns its number. */
  sent(events: SentEvent[]): Promise<number>
  /** After an answer: its status; 0 if there was none. */
  answered(request: number, status: number): Promise<void>
  close(): Promise<void>
}

type Line = { request: number; sent: SentEvent[] } | { request: number; status: number }

/** Opens a new ledger. */
export async function openLedger(file: string): Promise<Ledger> {
  const handle = await open(file, 'ax')
  let requests = 0
  let waiting: string[] = []
  let writing = Promise.resolve()

  /** One write at a time: entries added meanwhile go into the next one together. */
  async function append(line: Line): Promise<void> {
    waiting.push(`${JSON.stringify(line)}\n`)
    writing = writing.then(flush)
    await writing
  }

  async function flush(): Promise<void> {
    if (waiting.length === 0) return
    const lines = waiting.join('')
    waiting = []
    await handle.appendFile(lines)
    await handle.datasync()
  }

  return {
    async sent(events) {
      const request = requests++
      await append({ request, sent: events })
      return request
    },
    answered: (request, status) => append({ request, status }),
    close: () => handle.close(),
  }
}

/** The content of a ledger. */
export interface Account {
  /** Everything that was sent, by tenant and id. */
  sent: Map<string, SentEvent>
  /** Keys of `sent` that were accepted. */
  accepted: Set<string>
  /** Answers that left the outcome unknown; each request was repeated. */
  unknown: number
}

export const keyOf = ({ tenantId, id }: Pick<SentEvent, 'tenantId' | 'id'>): string => `${tenantId}/${id}`

/** Reads a ledger back from its file. */
export async function readLedger(file: string): Promise<Account> {
  const account: Account = { sent: new Map(), accepted: new Set(), unknown: 0 }
  const requests: string[][] = []
  for (const text of (await readFile(file, 'utf8')).split('\n')) {
    if (text === '') continue
    const line = JSON.parse(text) as Line
    if ('sent' in line) {
      requests[line.request] = line.sent.map(keyOf)
      for (const event of line.sent) account.sent.set(keyOf(event), event)
    } else if (line.status === 201) for (const key of requests[line.request]!) account.accepted.add(key)
    else account.unknown++
  }
  return account
}
