import { inject } from 'vitest'

/** Whether this is `npm run test:stress`, which has the machine to itself, and plenty of time. */
export const isStress = inject('isStress')

/** A count: small in `npm test`, large in `npm run test:stress`. */
export const count = (usual: number, stress: number): number => (isStress ? stress : usual)

/** The same, unless FLAGMETER_RUNS (sequences compared with a model) or FLAGMETER_RESTARTS sets it. */
export const countOf = (what: 'RUNS' | 'RESTARTS', usual: number, stress: number): number =>
  Number(process.env[`FLAGMETER_${what}`] ?? count(usual, stress))

/** A time limit in ms: as promised in `npm run test:stress`; longer in `npm test`, where files share the machine. */
export const atMost = (ms: number): number => (isStress ? ms : Math.max(ms, 60_000))
