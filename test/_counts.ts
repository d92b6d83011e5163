import { inject } from 'vitest'

/** Whether this is `npm run test:stress`, which has the machine for itself, and time. */
export const isStress = inject('isStress')

/** How often: a little in `npm test`, a lot in `npm run test:stress`. */
export const count = (usual: number, stress: number): number => (isStress ? stress : usual)

/** The same, unless FLAGMETER_RUNS (sequences that a model is compared with) or FLAGMETER_RESTARTS says how often. */
export const countOf = (what: 'RUNS' | 'RESTARTS', usual: number, stress: number): number =>
  Number(process.env[`FLAGMETER_${what}`] ?? count(usual, stress))

/** A bound on time, in ms: as promised in `npm run test:stress`; `npm test` shares the machine with its own files. */
export const atMost = (ms: number): number => (isStress ? ms : Math.max(ms, 60_000))
