import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { findFolder } from '../package_folder.ts'
import type { Answer } from '../http/answer_types.ts'

/** A file of a page, compressed when it was built. */
interface Asset {
  type: string
  body: Buffer
  br: Buffer
  gzip: Buffer
}

const TYPES: Record<string, string> = {
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
}

let folder: string | undefined
let names: string[] | undefined
const loaded = new Map<string, Asset>()

const assetFolder = (): string => (folder ??= findFolder(['dashboard', 'dist/dashboard'], 'files.json'))
const assetNames = (): string[] =>
  (names ??= JSON.parse(readFileSync(join(assetFolder(), 'files.json'), 'utf8')) as string[])

/** Read when first requested, then kept: the dashboard takes 200 KB, the API's page 2.7 MB, which few ever open. */
function assetOf(name: string): Asset | undefined {
  if (!assetNames().includes(name)) return undefined
  const known = loaded.get(name)
  if (known) return known
  const read = (file: string) => readFileSync(join(assetFolder(), file))
  const type = TYPES[extname(name)] ?? 'application/octet-stream'
  const asset = { type, body: read(name), br: read(`${name}.br`), gzip: read(`${name}.gz`) }
  loaded.set(name, asset)
  return asset
}

/**
 * A file of a page, as small as the browser accepts it, to be cached forever: its name has its hash. Undefined: there
 * is none.
 */
export function serveAsset(name: string, acceptEncoding = ''): Answer | undefined {
  const asset = assetOf(name)
  if (!asset) return undefined
  const encoding = (['br', 'gzip'] as const).find((known) =>
    new RegExp(`\\b${known}\\b(?!\\s*;\\s*q=0(\\.0*)?\\s*(,|$))`).test(acceptEncoding),
  )
  return {
    status: 200,
    body: encoding ? asset[encoding] : asset.body,
    headers: {
      'content-type': asset.type,
      'cache-control': 'public, max-age=31536000, immutable',
      vary: 'accept-encoding, origin',
      ...(encoding && { 'content-encoding': encoding }),
    },
  }
}

const pathOf = (pattern: RegExp): string => `/assets/${assetNames().find((name) => pattern.test(name))}`

interface Page {
  title: string
  script: RegExp
  style: RegExp
  /** Where its pictures come from, beside files of ours. */
  pictures?: string
  withoutScript: string
}

/** The one page of the dashboard; the script in it reads the rest from the path. */
export const servePage = (): Answer =>
  render({
    title: 'FlagMeter',
    script: /^main-.*\.js$/,
    style: /^style-.*\.css$/,
    withoutScript: 'The dashboard needs JavaScript. The same figures are at /api/usage, with a key.',
  })

/** The page about the API. Its viewer has small pictures in its style sheet. */
export const serveDocs = (): Answer =>
  render({
    title: 'FlagMeter API',
    script: /^docs-.*\.js$/,
    style: /^docs-.*\.css$/,
    pictures: 'data:',
    withoutScript: 'This page needs JavaScript. The description that it shows is at /api/openapi.json.',
  })

/**
 * Only what carries this answer's nonce is run, nothing is asked of another host, and no page may frame it (Content
 * Security Policy Level 3).
 */
function render({ title, script, style, pictures, withoutScript }: Page): Answer {
  const nonce = randomBytes(16).toString('base64')
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    ["img-src 'self'", pictures].filter(Boolean).join(' '),
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ]
  return {
    status: 200,
    text: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="${pathOf(/^icon-.*\.svg$/)}">
<link rel="stylesheet" href="${pathOf(style)}" nonce="${nonce}">
<script type="module" src="${pathOf(script)}" nonce="${nonce}"></script>
</head>
<body>
<div id="app"></div>
<noscript>${withoutScript}</noscript>
</body>
</html>
`,
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy.join('; '),
      'cross-origin-opener-policy': 'same-origin',
    },
  }
}
