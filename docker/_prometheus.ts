import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { existsOnPath } from '../test/_valkey.ts'

interface Configuration {
  global: { scrape_interval: string; evaluation_interval: string }
  rule_files: string[]
  scrape_configs: { job_name: string; static_configs?: { targets: string[] }[]; dns_sd_configs?: unknown }[]
}

/**
 * Starts the Prometheus on the PATH with the configuration of the containers, but with these local ports instead of
 * service names. Undefined if there is none.
 */
export async function startPrometheus(
  dir: string,
  ports: Record<string, number>,
): Promise<{ url: string; release: () => Promise<void> } | undefined> {
  if (!existsOnPath('prometheus')) return undefined
  await mkdir(join(dir, 'data'), { recursive: true })
  const source = join(import.meta.dirname, 'prometheus')
  const config = parse(await readFile(join(source, 'prometheus.yml'), 'utf8')) as Configuration
  const interval = process.env.SCRAPE_INTERVAL ?? config.global.scrape_interval
  config.global = { scrape_interval: interval, evaluation_interval: interval }
  config.rule_files = config.rule_files.map((file) => join(source, file))
  config.scrape_configs = Object.entries(ports).map(([job_name, port]) => ({
    job_name,
    static_configs: [{ targets: [`127.0.0.1:${port}`] }],
  }))
  await writeFile(join(dir, 'prometheus.yml'), stringify(config))
  const address = `127.0.0.1:${process.env.PROMETHEUS_PORT ?? '9090'}`
  const options = [`--config.file=${join(dir, 'prometheus.yml')}`, `--storage.tsdb.path=${join(dir, 'data')}`]
  const child = spawn('prometheus', [...options, `--web.listen-address=${address}`, '--log.level=warn'], {
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true,
  })
  const ended = once(child, 'exit')
  return {
    url: `http://${address}`,
    async release() {
      child.kill('SIGTERM')
      await ended
    },
  }
}
