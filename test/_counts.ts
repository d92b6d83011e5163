import { inject } from 'vitest'

/** Whether this is `npm run test:stress`, which has the machine for itself, and time. */
export const isStress = inject('isStress')

/** How often: a little in `npm test`, a lot in `npm run test:stress`. */
export const count = (usual: number, stress: number): number => (isStress ? stress : usual)

/** The same for sequences that a model is compared with; FLAGMETER_RUNS says how many instead. */
export const runs = (usual: number, stress: number): number =>
  Number(process.env.FLAGMETER_RUNS ?? count(usual, stress))
