import { execFile } from 'node:child_process'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Mutant } from './_mutants.ts'

const root = join(import.meta.dirname, '../..')
/** Inside node_modules, so that dependencies are found; for this run alone. */
const folder = join(root, `node_modules/.cache/flagmeter-mutants-${process.pid}`)
const built = new Map<string, Promise<string>>()

/** Builds the product with a mistake in it, once. Returns the folder of its bundles. */
export function buildMutant(mutant: Mutant): Promise<string> {
  const known = built.get(mutant.name)
  if (known) return known
  const building = build(mutant)
  built.set(mutant.name, building)
  return building
}

async function build({ name, edits }: Mutant): Promise<string> {
  const dir = join(folder, name.replaceAll(/\W+/g, '-'))
  await mkdir(dir, { recursive: true })
  for (const part of [
    'cli',
    'handlers',
    'lib',
    'sql',
    'dashboard',
    'package.json',
    'esbuild.config.mjs',
    'esbuild.notices.mjs',
  ])
    await cp(join(root, part), join(dir, part), { recursive: true })
  for (const { file, from, to } of edits) {
    const text = await readFile(join(dir, file), 'utf8')
    if (text.split(from).length !== 2) throw new Error(`the mutant '${name}' no longer fits ${file}`)
    await writeFile(
      join(dir, file),
      text.replace(from, () => to),
    )
  }
  await promisify(execFile)(process.execPath, ['esbuild.config.mjs', 'dist'], { cwd: dir })
  return join(dir, 'dist')
}

export const removeMutants = (): Promise<void> => rm(folder, { recursive: true, force: true })
