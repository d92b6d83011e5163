import { newKey } from '../lib/auth/key.ts'

/** The admin key of this test file: what its contexts know, and its commands use. */
export const KEY = newKey()
export const AUTHORIZATION = { authorization: `Bearer ${KEY}` }
