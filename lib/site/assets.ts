import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { findFolder } from '../package_folder.ts'
import type { Answer } from '../http/endpoint.ts'

/** A file of the dashboard, compressed when it was built. */
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

let loaded: Map<string, Asset> | undefined

/** The dashboard's files by name, read once; 200 KB in all. */
const assets = (): Map<string, Asset> => (loaded ??= load(findFolder(['dashboard', 'dist/dashboard'], 'files.json')))

function load(folder: string): Map<string, Asset> {
  const names = JSON.parse(readFileSync(join(folder, 'files.json'), 'utf8')) as string[]
  const read = (name: string) => readFileSync(join(folder, name))
  return new Map(
    names.map((name) => {
      const type = TYPES[extname(name)] ?? 'application/octet-stream'
      return [name, { type, body: read(name), br: read(`${name}.br`), gzip: read(`${name}.gz`) }]
    }),
  )
}

/**
 * A file of the dashboard, as small as the browser takes it, to be kept for ever: its name has its hash. Undefined:
 * there is none.
 */
export function serveAsset(name: string, acceptEncoding = ''): Answer | undefined {
  const asset = assets().get(name)
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

const pathOf = (pattern: RegExp): string => `/assets/${[...assets().keys()].find((name) => pattern.test(name))}`

/**
 * The one page of the dashboard; the script in it reads the rest from the path. Only what carries this answer's nonce
 * is run, nothing is asked of another host, and no page may frame it (Content Security Policy Level 3).
 */
export function servePage(): Answer {
  const nonce = randomBytes(16).toString('base64')
  const [script, style, icon] = [/^main-.*\.js$/, /^style-.*\.css$/, /^icon-.*\.svg$/].map(pathOf)
  const policy = [
    "default-src 'none'",
    `script-src 'nonce-${nonce}'`,
    `style-src 'nonce-${nonce}'`,
    "img-src 'self'",
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
<title>FlagMeter</title>
<link rel="icon" href="${icon}">
<link rel="stylesheet" href="${style}" nonce="${nonce}">
<script type="module" src="${script}" nonce="${nonce}"></script>
</head>
<body>
<div id="app"></div>
<noscript>The dashboard needs JavaScript. The same figures are at /api/usage, with a key.</noscript>
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
