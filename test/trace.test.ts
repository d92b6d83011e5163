import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, inject, test } from 'vitest'
import { runCli, startCli } from './_cli.ts'
import { createTestServer, until } from './_context.ts'

const TRACE = join(import.meta.dirname, '../../shared/traces/azure-llm-2023-conv.csv')

/** Tokens per minute of the file, in chronological order. */
async function minutesOf(file: string): Promise<number[]> {
  const minutes = new Map<string, number>()
  for (const line of (await readFile(file, 'utf8')).trim().split('\n').slice(1)) {
    const [timestamp, context, generated] = line.split(',')
    const minute = timestamp!.slice(0, 16)
    minutes.set(minute, (minutes.get(minute) ?? 0) + Number(context) + Number(generated))
  }
  return [...minutes].toSorted(([a], [b]) => a.localeCompare(b)).map(([, tokens]) => tokens)
}

describe.skipIf(!existsSync(TRACE))('an hour of real calls (needs ../shared/traces/azure-llm-2023-conv.csv)', () => {
  test.each(['straight to PostgreSQL', 'through Valkey and a worker process'])(
    'replayed twice %s counts exactly once',
    async (path) => {
      const valkey = path.includes('Valkey')
      const { ctx, url, databaseUrl } = await createTestServer(valkey ? { VALKEY_URL: inject('valkeyUrl') } : {})
      const env = { DATABASE_URL: databaseUrl, FLAGMETER_URL: url, QUEUE_NAME: ctx.config.queueName }
      if (valkey) startCli(['worker'], { ...env, VALKEY_URL: inject('valkeyUrl') })
      const used = async () => {
        const rows = await ctx.database`select minute, total_tokens from rollups order by minute`
        return {
          tokens: rows.reduce((sum, row) => sum + row.total_tokens, 0),
          minutes: rows.map((row) => row.total_tokens as number),
        }
      }
      const replay = () => runCli(['load', '--trace', TRACE, '--json'], env)
      const first = await replay()
      expect([first.code, first.err]).toEqual([0, ''])
      expect(JSON.parse(first.out)).toMatchObject({ sent: 19_366, accepted: 19_366, refused: 0 })
      await until(async () => (await used()).tokens >= 26_450_535)
      expect((await replay()).code).toBe(0)
      if (valkey) await until(async () => (await ctx.valkey!.xlen(ctx.config.queueName)) === 0)
      expect(await used()).toEqual({ tokens: 26_450_535, minutes: await minutesOf(TRACE) })
      expect((await used()).minutes).toHaveLength(60)
      expect((await runCli(['verify'], env)).code).toBe(0)
    },
  )
})
