import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const root = join(import.meta.dirname, '..')
const page = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8')
const section = (title: string) => page.split(`\n## ${title}\n`)[1]!.split('\n## ')[0]!

test('the files to read in an evening exist, are listed once, and have fewer than 4,000 non-blank lines', () => {
  const files = [...section('The evening').matchAll(/`([\w/.-]+\.(?:ts|sql))`/g)].map(([, file]) => file!)
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([])
  expect(files.length).toBe(new Set(files).size)
  const lines = files.flatMap((file) => readFileSync(join(root, file), 'utf8').split('\n'))
  expect(lines.filter((line) => line.trim() !== '').length).toBeLessThan(4_000)
})

test('the table lists every room, and every folder it lists exists', () => {
  const named = [...section('Rooms').matchAll(/^\| `([\w/]+)\/` \|/gm)].map(([, folder]) => folder!)
  expect(named.filter((folder) => !existsSync(join(root, folder)))).toEqual([])
  const rooms = readdirSync(join(root, 'lib'), { withFileTypes: true }).filter((entry) => entry.isDirectory())
  expect(rooms.map(({ name }) => `lib/${name}`).filter((room) => !named.includes(room))).toEqual([])
})

test('every file that the documents name exists', () => {
  const named = (text: string) =>
    [...text.matchAll(/`((?:lib|handlers|cli|sql|dashboard|docker|test|bench|docs)\/[\w/-]+\.\w+)`/g)].map(
      ([, file]) => file!,
    )
  const internals = readFileSync(join(root, 'docs/internals.md'), 'utf8')
  const files = [...named(page), ...named(internals)]
  expect(files.length).toBeGreaterThan(60)
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([])
})
