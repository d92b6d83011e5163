// The licences of what the bundles hold ask to go with every copy: with the package and with the image.
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Also `bundle.js.LICENSE.txt`: what a library has bundled itself. */
const LICENCE = /(^|\.js\.)(licen[cs]e|copying|notice)/i

/** What lib/prices/catalogue.json is made of: bundled as data, which esbuild names by its own path. */
const DATA = ['node_modules/@pydantic/genai-prices']

/** The text of the notices: each package that these metafiles of esbuild name, with its licences. */
export async function thirdPartyNotices(metafiles) {
  const files = metafiles.flatMap(({ inputs }) => Object.keys(inputs))
  const folders = files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? [])
  const notices = await Promise.all([...new Set([...folders, ...DATA])].map(noticeOf))
  const head = 'FlagMeter contains the following software. Each part is under its own licence.\n'
  return [head, ...notices.toSorted()].join(`\n${'-'.repeat(80)}\n\n`)
}

async function noticeOf(folder) {
  const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8'))
  if (!license) throw new Error(`${folder} states no licence: it can't be bundled`)
  const licences = (await readdir(folder)).filter((file) => LICENCE.test(file)).sort()
  const texts = await Promise.all(licences.map((file) => readFile(join(folder, file), 'utf8')))
  if (texts.length === 0) texts.push(`https://spdx.org/licenses/${license}.html`)
  return `${name} ${version} (${license})\n\n${texts.map((text) => text.trim()).join('\n\n')}\n`
}
