import { readFile, readdir } from 'node:fs/promises'
import { request } from 'undici'
import { EVENTS } from './_hammer.ts'
import { AUTHORIZATION } from './_key.ts'
import { type Row, against, inTurns, row } from './_measure.ts'
import { cpuSeconds } from './_process.ts'
import type { Running, Stage } from './_stage.ts'

const ROUNDS = 3
const OURS = 20_000
const NAIVE = 400
const SENDERS = 64
/** A month of minutes of one feature, which the control sums for each event. */
const MINUTES = 43_200

/**
 * CPU seconds per million events for the whole pipeline (server, worker, Valkey, PostgreSQL), compared with the
 * control.
 */
export async function cpu(stage: Stage): Promise<Row> {
  const { database } = stage
  await database`truncate events, rollups, usage_hours, usage_periods, usage_features`
  await database`drop table if exists naive_rollups`
  await database`
    create table naive_rollups
      (tenant text, feature text, minute timestamptz, total_tokens bigint, primary key (tenant, feature, minute))`
  await database`
    insert into naive_rollups
    select 'acme-corp', 'gpt-4-turbo', date_trunc('minute', now()) - i * interval '1 minute', 1
    from generate_series(1, ${MINUTES}) i`
  await database`vacuum analyze naive_rollups`
  const env = stage.streamEnv()
  const ours = [await stage.serve(['event-ingest'], env), await stage.work(['rollup'], env)]
  const naiveEnv = stage.streamEnv()
  const naive = [await stage.naive('serve', naiveEnv), await stage.naive('work', naiveEnv)]
  const oursDone = async (events: number) => {
    const [counted] = await database<{ n: number }[]>`
      select coalesce(sum(event_count), 0)::bigint as n from usage_periods where quota_id = tenant_id`
    return counted!.n >= events
  }
  const naiveDone = async (events: number) => {
    const [counted] = await database<{ n: number }[]>`select sum(total_tokens)::bigint as n from naive_rollups`
    return counted!.n >= MINUTES + events * 1500
  }
  const stores = async () => [...(await postgresPids(stage)), ...(stage.valkeyPid ? [stage.valkeyPid] : [])]

  async function perMillion(parts: Running[], events: number, done: () => Promise<boolean>): Promise<number> {
    const pids = parts.map(({ pid }) => pid)
    const { url } = parts[0]!
    const all = async () =>
      (await Promise.all([...pids, ...(await stores())].map(cpuSeconds))).reduce<number>((a, b) => a + (b ?? 0), 0)
    const before = await all()
    let left = events
    await Promise.all(
      Array.from({ length: SENDERS }, async () => {
        while (left-- > 0) {
          const headers = { ...AUTHORIZATION, 'content-type': 'application/json' }
          const answer = await request(`${url}/api/events`, { method: 'POST', headers, body: EVENTS.body })
          await answer.body.dump()
          if (answer.statusCode !== 201) throw new Error(`an event was answered ${answer.statusCode}`)
        }
      }),
    )
    while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 50))
    return (((await all()) - before) * 1_000_000) / events
  }

  let [sent, naiveSent] = [0, 0]
  const series = await inTurns(
    ROUNDS,
    () => {
      sent += OURS
      return perMillion(ours, OURS, () => oursDone(sent))
    },
    () => {
      naiveSent += NAIVE
      return perMillion(naive, NAIVE, () => naiveDone(naiveSent))
    },
  )
  for (const running of [...ours, ...naive]) await running.stop()
  return row(
    'CPU seconds per million events, whole pipeline, against LPUSH/BRPOP and a SUM per event',
    '<= 0.1',
    series,
    against(series, 's'),
  )
}

/** The server's processes: the first one and its children, which all have the same parent. */
async function postgresPids({ database }: Stage): Promise<number[]> {
  const [backend] = await database<{ pid: number }[]>`select pg_backend_pid() as pid`
  const parent = await parentOf(backend!.pid)
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const parents = await Promise.all(pids.map(parentOf))
  return [parent, ...pids.filter((_, i) => parents[i] === parent)]
}

async function parentOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
}
