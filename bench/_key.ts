import { newKey } from '../lib/key.ts'

/** The admin key of this run. */
export const KEY = newKey()
export const AUTHORIZATION = { authorization: `Bearer ${KEY}` }
