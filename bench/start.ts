import { type Row, figure, median, reaches } from './_measure.ts'
import type { Stage } from './_stage.ts'

const LIMIT_MS = 1_000
const STARTS = 9
const TARGET = '<= 1'

/**
 * From the start of a process with one handler to its first answer. `docker/check.sh` prints the same for a container.
 */
export async function start(stage: Stage): Promise<Row> {
  const env = stage.streamEnv()
  const times: number[] = []
  for (let i = 0; i <= STARTS; i++) {
    const startedAt = performance.now()
    const server = await stage.serve(['event-ingest'], env)
    if (i > 0) times.push(performance.now() - startedAt)
    await server.stop()
  }
  const ratio = median(times) / LIMIT_MS
  return {
    name: `start of a server with one handler to its first answer, against ${LIMIT_MS} ms`,
    ratio,
    target: TARGET,
    pass: reaches(ratio, TARGET),
    spread: [Math.min(...times) / LIMIT_MS, Math.max(...times) / LIMIT_MS],
    detail: `${figure(median(times))} against ${figure(LIMIT_MS)} ms`,
  }
}
