import { readFile } from 'node:fs/promises'
import { parse } from 'yaml'

export type Environment = Record<string, string>

/** How compose.yml starts a service: its command and its environment, with the values in `local` replacing its own. */
export async function readService(
  file: string,
  name: string,
  local: Environment,
): Promise<{ command: string[]; environment: Environment }> {
  interface Compose {
    services: Record<string, { command: string[]; environment: Record<string, string | number | null> }>
  }
  const { command, environment } = (parse(await readFile(file, 'utf8'), { merge: true }) as Compose).services[name]!
  const given = Object.entries({ ...environment, ...local })
  return {
    command: command.map(interpolate),
    environment: Object.fromEntries(given.map(([key, value]) => [key, interpolate(String(value ?? ''))])),
  }
}

/** Replaces `${NAME}`, `${NAME:-default}` and `${NAME:?message}` with values from the environment. */
const interpolate = (text: string): string =>
  text.replaceAll(
    /\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}/g,
    (_, name: string, fallback = '') => process.env[name] ?? fallback,
  )
