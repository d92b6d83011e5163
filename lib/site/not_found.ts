import { createHash } from 'node:crypto'
import type { Answer } from '../http/answer_types.ts'

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:34rem;margin:20vh auto;padding:0 1.5rem}' +
  'h1{font-size:1.5rem;margin:0 0 .5rem}'

/**
 * What a browser gets at a path where nothing is. It repeats nothing of the request, so nothing in it needs to be
 * escaped.
 */
const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Page not found – FlagMeter</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Page not found</h1>
<p>There is nothing at this address. It may be mistyped, or the link to it out of date.</p>
<p><a href="/">Go to the dashboard</a></p>
</body>
</html>
`

const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

/** The answer to a browser that asks for what there is not. */
export const notFoundPage = (): Answer => ({
  status: 404,
  text: PAGE,
  headers: {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': POLICY,
    vary: 'accept, origin',
  },
})
