import type { Recording } from './changes.ts'

const WINDOW_MS = 10_000

/** How fast everything goes, over the last ten seconds. */
export interface Pace {
  eventsPerSecond: number
  tokensPerSecond: number
  /** The longest time from accepting an event to its being visible; null: no event. */
  freshnessMs: number | null
}

/** Sums what was recorded by all processes within the window. Times are on the monotonic clock. */
export function openPace() {
  let recordings: (Recording & { at: number })[] = []
  let startedAt = 0
  return {
    /** Forgets everything; from now on it follows what is recorded. */
    start(at: number): void {
      recordings = []
      startedAt = at
    },
    add: (at: number, recording: Recording) => void recordings.push({ ...recording, at }),
    read(now: number): Pace {
      recordings = recordings.filter(({ at }) => now - at <= WINDOW_MS)
      const windowMs = Math.min(WINDOW_MS, Math.max(1_000, now - startedAt))
      const perSecond = (sum: number) => Math.round((sum * 10_000) / windowMs) / 10
      return {
        eventsPerSecond: perSecond(recordings.reduce((sum, { events }) => sum + events, 0)),
        tokensPerSecond: perSecond(recordings.reduce((sum, { tokens }) => sum + tokens, 0)),
        freshnessMs: recordings.reduce<number | null>(
          (worst, { freshnessMs }) => (freshnessMs === undefined ? worst : Math.max(worst ?? 0, freshnessMs)),
          null,
        ),
      }
    },
  }
}
