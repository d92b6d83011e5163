import { InvalidJson } from './endpoint.ts'
import { findJsonMistake, placeOf } from './json_mistake.ts'
import { Problem } from '../problem.ts'
import { nextTurn } from './turns.ts'

const NO_JSON = Symbol('no JSON')

/** The value, or InvalidJson: a body never goes into an answer or a log, but where it is wrong may. */
export function parseJson(text: string): unknown {
  const value = tryJson(text)
  if (value !== NO_JSON) return value
  const mistake = findJsonMistake(text)
  return new InvalidJson(
    mistake ? `is not valid JSON at ${placeOf(text, mistake.at)}: ${mistake.reason}` : 'is not valid JSON',
  )
}

/** A long array, cut at commas between its elements and a part in each turn. @throws Problem invalid_json */
export async function parseJsonParts(body: Buffer, cuts: number[]): Promise<unknown[]> {
  const values: unknown[] = []
  let from = 0
  for (const to of [...cuts, body.length]) {
    if (from > 0) await nextTurn()
    const text = body.toString('utf8', from, to)
    const part = tryJson((from > 0 ? '[' : '') + text + (to < body.length ? ']' : ''))
    if (!Array.isArray(part) || part.length === 0) throw wrongPart(body, from, to)
    for (const value of part) values.push(value)
    from = to + 1
  }
  return values
}

/** The mistake in the part of a long array between two bytes: its beginning, or what follows a comma. */
function wrongPart(body: Buffer, from: number, to: number): Problem {
  const before = from > 0 ? '[0,' : ''
  const mistake = findJsonMistake(before + body.toString('utf8', from, to) + (to < body.length ? ',' : ''))
  const start = body.toString('utf8', 0, from).length
  const place = placeOf(body.toString(), start + (mistake ? mistake.at - before.length : 0))
  const detail = `the body is not valid JSON ${mistake ? `at ${place}: ${mistake.reason}` : `from ${place} on`}`
  return new Problem('invalid_json', { detail })
}

function tryJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return NO_JSON
  }
}
