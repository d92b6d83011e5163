import { Problem } from '../problem.ts'

/** A request of so little weight neither waits nor is held up by large ones. */
export const SMALL = 64 * 1024
/** Of the room, large bodies get so much: the rest is for small ones. */
const FOR_LARGE = 3 / 4
/** One holder gets so much of the room. */
const SHARE = 1 / 3
/** Bodies that are worked on at once weigh so much together, unless a single one weighs more: see `survey`. */
const WORK = 8 * 1024 * 1024

interface WaitingBody {
  weight: number
  start: () => void
}

/**
 * The memory for the bodies of a process: those that arrive, wait or are worked on, and answers that wait for their
 * clients. Bytes count as they arrive: what is only announced holds out nobody. What is refused leaves its room at
 * once, so those that were there first get done. Bodies that have arrived are worked on in turn.
 */
export class Room {
  readonly bytes: number
  /** By holder: a tenant, or a key that is bound to none. */
  readonly held = new Map<string, number>()
  total = 0
  readonly #waiting: WaitingBody[] = []
  #working = 0

  constructor(bytes: number) {
    this.bytes = bytes
  }

  /** Waits until a body of this weight may be parsed. A promise only when there is something to wait for. */
  enter(weight: number): Promise<void> | undefined {
    if (this.#waiting.length > 0 || !this.#fits(weight))
      return new Promise((start) => this.#waiting.push({ weight, start }))
    this.#working += weight
    return undefined
  }

  leave(weight: number): void {
    this.#working -= weight
    while (this.#waiting.length > 0 && this.#fits(this.#waiting[0]!.weight)) {
      const next = this.#waiting.shift()!
      this.#working += next.weight
      next.start()
    }
  }

  #fits(weight: number): boolean {
    return this.#working === 0 || this.#working + weight <= WORK
  }
}

/** What one request holds of the room. Nothing, as long as it is small: that costs no more than making this. */
export class Hold {
  /** Whose share it is; empty until it is known who calls. */
  holder = ''
  readonly #room: Room
  #own = 0
  #weight = 0

  constructor(room: Room) {
    this.#room = room
  }

  /** Counts bytes that have arrived. @throws Problem rate_limited, unavailable */
  add(bytes: number): void {
    const broken = this.#limit(bytes)
    if (broken === 'share') throw tooManyBytes(Math.floor((this.#room.bytes * SHARE * FOR_LARGE) / 1024 / 1024))
    if (broken === 'room') throw full()
    this.#count(bytes)
  }

  /** Whether so many bytes, of an answer that its client does not take, still have room; they are counted if so. */
  keep(bytes: number): boolean {
    if (this.#limit(bytes) !== undefined) return false
    this.#count(bytes)
    return true
  }

  /**
   * Before a body of this weight is parsed: waits until others are done. A promise only when there is something to wait
   * for.
   */
  work(weight: number): Promise<void> | undefined {
    this.#weight = weight
    return this.#room.enter(weight)
  }

  /** Gives back everything. */
  release(): void {
    if (this.#own > 0) this.#count(-this.#own)
    if (this.#weight > 0) this.#room.leave(this.#weight)
    this.#weight = 0
  }

  /** The first limit that so many more would break. */
  #limit(more: number): 'share' | 'room' | undefined {
    const { bytes, held, total } = this.#room
    const part = this.#own + more <= SMALL ? 1 : FOR_LARGE
    if ((held.get(this.holder) ?? 0) + more > bytes * SHARE * part) return 'share'
    return total + more > bytes * part ? 'room' : undefined
  }

  #count(more: number): void {
    const { held } = this.#room
    this.#own += more
    this.#room.total += more
    const left = (held.get(this.holder) ?? 0) + more
    if (left === 0) held.delete(this.holder)
    else held.set(this.holder, left)
  }
}

const tooManyBytes = (mib: number): Problem =>
  new Problem(
    'rate_limited',
    {
      detail: `at most ${mib} MiB of request bodies and unread answers at once; wait for answers before sending more`,
    },
    { 'retry-after': '1' },
  )

const full = (): Problem =>
  new Problem(
    'unavailable',
    { detail: 'too many large requests are in hand; nothing of this one was stored, so send it again' },
    { 'retry-after': '1' },
  )
