import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Ledger, SentEvent } from './_ledger.ts'
import type { Rig } from './_rig.ts'

const EVERY_MS = 50

/** Events that cannot be recorded, each with a mark to find it by. */
const POISON: ((event: SentEvent, mark: string) => unknown)[] = [
  (event, mark) => ({ ...event, id: mark, tenantId: '00000000-0000-4000-8000-000000000000' }),
  (event, mark) => ({ ...event, id: mark, tokens: -1 }),
  (event, mark) => ({ ...event, id: mark, feature: 'a\0b' }),
  (event, mark) => ({ ...event, id: mark, createdAt: 'yesterday' }),
  (_event, mark) => mark,
]

/** The marks of each rig's poison. */
const marks = new WeakMap<Rig, Set<string>>()

/** Adds stream entries with poison between good events, until told to stop. */
export async function addPoison(rig: Rig, ledger: Ledger, stop: AbortSignal): Promise<void> {
  const { random } = rig
  const own = new Set<string>()
  marks.set(rig, own)
  while (!stop.aborted) {
    const good = Array.from({ length: 1 + random.below(6) }, () => ({
      tenantId: random.pick(rig.load.tenants).id,
      id: randomUUID(),
      feature: 'poisoned',
      tokens: 1 + random.below(1000),
      createdAt: Date.now() - random.below(60_000),
      receivedAt: Date.now(),
    }))
    const mark = randomUUID()
    const entry: unknown[] = [...good]
    entry.splice(
      random.below(good.length + 1),
      0,
      random.pick(POISON)({ ...good[0]!, receivedAt: Date.now() } as SentEvent, mark),
    )
    const request = await ledger.sent(good)
    await rig.redis.xadd('events', '*', 'events', JSON.stringify(entry))
    await ledger.answered(request, 201)
    own.add(mark)
    await sleep(EVERY_MS)
  }
}

/** Every poison event must be a dead letter, once, and nothing else. */
export async function checkPoison(rig: Rig): Promise<void> {
  const own = marks.get(rig)!
  const letters = await rig.database<{ payload: string }[]>`select payload from dead_letters`
  const found = letters.map(({ payload }) => [...own].find((mark) => payload.includes(mark)))
  const valid = found.filter((mark) => mark === undefined).length
  if (valid > 0) rig.wrong.push(`${valid} valid events became dead letters`)
  const missing = own.size - new Set(found.filter((mark) => mark !== undefined)).size
  if (missing > 0) rig.wrong.push(`${missing} poison events are no dead letters`)
  if (letters.length - valid > own.size)
    rig.wrong.push(`${letters.length - valid} dead letters for ${own.size} poison events`)
}
