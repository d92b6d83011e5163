import { chown, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { openEmbeddedPostgres } from '../lib/embedded/postgres.ts'
import { clusterFolder } from './_cluster.ts'

const pem = (label: string, lines: string[]) =>
  `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
/** Of `localhost` alone, signed by itself; it guards nothing. */
const KEY = pem('PRIVATE KEY', [
  'MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgE3TmlKBeK8y2DtV5RHYZVcZXL/Lp7CTPWfVXErjL2NyhRANCAATL',
  'pMmJ+OnYRnzp+5AUBZs10TGA1RnO3p+f+z3rIvEFVg4JrXvmkNwi1Anj43MfG4lN89iRGyZiu2sY26oQi12y',
])
export const CERTIFICATE = pem('CERTIFICATE', [
  'MIIBYDCCAQegAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAx',
  'MDEwMDAwMDBaMBQxEjAQBgNVBAMMCWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABMukyYn46dhGfOn7kBQFmzXR',
  'MYDVGc7en5/7Pesi8QVWDgmte+aQ3CLUCePjcx8biU3z2JEbJmK7axjbqhCLXbKjSDBGMA8GA1UdEwEB/wQFMAMBAf8wFAYDVR0R',
  'BA0wC4IJbG9jYWxob3N0MB0GA1UdDgQWBBRE2GTUB7HCYb4mse7E4c66ZWQ1ZzAKBggqhkjOPQQDAgNHADBEAiBCQdIbtMyxjQAh',
  'f3uK/3D+ZY5J0O09aR/JrZdy1q+t4AIgBgff26i3dAUB0DQS6l33pzlMCGtEjGNiKsSONob96zo=',
])

/** A PostgreSQL of the test's own that speaks TLS, with a migrated database. Gone after the test. Returns its URL. */
export async function startTlsPostgres(): Promise<string> {
  const dir = await clusterFolder()
  const data = join(dir, 'postgres')
  const { uid, gid } = await stat(data)
  for (const [name, text] of Object.entries({ 'server.key': KEY, 'server.crt': CERTIFICATE })) {
    await writeFile(join(data, name), text, { mode: 0o600 })
    await chown(join(data, name), uid, gid)
  }
  const server = await openEmbeddedPostgres({ dir, settings: { fsync: 'off', ssl: 'on' } })
  onTestFinished(() => server.release())
  return server.url
}
