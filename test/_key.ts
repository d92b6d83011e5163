import { newKey } from '../lib/auth/key.ts'

/** The admin key of this test file, for its contexts and commands. */
export const KEY = newKey()
export const AUTHORIZATION = { authorization: `Bearer ${KEY}` }
