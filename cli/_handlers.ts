import { readdirSync } from 'node:fs'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { HttpHandler } from '../lib/http/endpoint.ts'
import type { Consumer } from '../lib/worker/consumer.ts'
import { CommandError, Exit } from './_command.ts'
import { closest } from '../lib/words.ts'

// Bundles are in dist/handlers/*.js, sources in handlers/*.ts: a new file there is a new handler.
const folder = fileURLToPath(new URL('../handlers/', import.meta.url))
const extension = extname(fileURLToPath(import.meta.url))

/** What a file in `handlers/` exports. */
type Handler = HttpHandler | Consumer

export interface NamedHandler<H extends Handler = Handler> {
  name: string
  handler: H
}

/** Loads the handlers with these names, or all if none is given. @throws CommandError for an unknown name */
export async function loadHandlers(names: string[]): Promise<NamedHandler[]> {
  const known = readdirSync(folder)
    .filter((file) => extname(file) === extension)
    .map((file) => file.slice(0, -extension.length))
    .sort()
  const unknown = names.find((name) => !known.includes(name))
  if (unknown !== undefined) {
    const meant = closest(unknown, known)
    const hint = meant === undefined ? `known: ${known.join(', ')}` : `did you mean '${meant}'?`
    throw new CommandError(`there is no handler '${unknown}'; ${hint}`, Exit.usage)
  }
  return await Promise.all(
    (names.length > 0 ? names : known).map(async (name) => {
      const module = (await import(join(folder, name + extension))) as { default: Handler }
      return { name, handler: module.default }
    }),
  )
}
