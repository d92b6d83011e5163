import { newKey } from '../lib/auth/key.ts'

/** The admin key of this run. */
export const KEY = newKey()
export const AUTHORIZATION = { authorization: `Bearer ${KEY}` }
