/** A longer text is not searched: that would hold up others. */
const SEARCHED_CHARACTERS = 256 * 1024

const SPACE = /[ \t\n\r]*/y
/**
 * A token of JSON (RFC 8259). One character of a string at a time: nested repeats would take for ever to find that it
 * has no end.
 */
const TOKEN = new RegExp(
  [
    /[[\]{},:]|true|false|null/u,
    /"(?:[^"\\\p{Cc}]|[\x7f-\x9f]|\\(?:["\\/bfnrt]|u[\da-fA-F]{4}))*"/u,
    /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/u,
  ]
    .map(({ source }) => source)
    .join('|'),
  'uy',
)

/** What may come next; `first`: right after an opening bracket, where a closing one may follow too. */
type Next = 'value' | 'first value' | 'name' | 'first name' | 'colon' | 'comma' | 'end'

const IN_WORDS: Record<Next, string> = {
  value: 'a value',
  'first value': 'a value or ]',
  name: 'a name in double quotes',
  'first name': 'a name in double quotes or }',
  colon: 'a colon',
  comma: 'a comma or a closing bracket',
  end: 'nothing more',
}

/** Where a text stops being JSON, and why. */
export interface JsonMistake {
  /** In characters from the beginning. */
  at: number
  reason: string
}

/**
 * Finds where a text that JSON.parse has refused stops being JSON: the engine says so of some mistakes only, and quotes
 * the text around others. Undefined: too long to search.
 */
export function findJsonMistake(text: string): JsonMistake | undefined {
  if (text.length > SEARCHED_CHARACTERS) return undefined
  const open: string[] = []
  let next: Next | undefined = 'value'
  for (let at = 0; ;) {
    at += matchAt(SPACE, text, at)!.length
    const expected = `expected ${IN_WORDS[next]}`
    if (at === text.length) return next === 'end' ? undefined : { at, reason: `it ends too early, ${expected}` }
    const token = matchAt(TOKEN, text, at)
    if (token === undefined && text[at] === '"')
      return { at, reason: 'a string has no end, or a line break, control character or wrong escape in it' }
    next = token === undefined ? undefined : step(next, token, open)
    if (token === undefined || next === undefined) return { at, reason: expected }
    at += token.length
  }
}

/** Takes a token, and returns what may follow it; undefined: it may not stand here. */
function step(next: Next, token: string, open: string[]): Next | undefined {
  const [kind] = token
  const inside = open.at(-1)
  const closes = (kind === ']' && inside === '[') || (kind === '}' && inside === '{')
  if (closes && (next === 'comma' || next.startsWith('first'))) {
    open.pop()
    return open.length === 0 ? 'end' : 'comma'
  }
  if (next === 'comma') return kind === ',' ? (inside === '[' ? 'value' : 'name') : undefined
  if (next === 'colon') return kind === ':' ? 'value' : undefined
  if (next === 'name' || next === 'first name') return kind === '"' ? 'colon' : undefined
  if (next === 'end' || ',:]}'.includes(kind!)) return undefined
  if (kind === '[' || kind === '{') {
    open.push(kind)
    return kind === '[' ? 'first value' : 'first name'
  }
  return open.length === 0 ? 'end' : 'comma'
}

function matchAt(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at
  return pattern.exec(text)?.[0]
}

/** Like `line 3, column 14`, both from 1; of a text of one line, the column alone. */
export function placeOf(text: string, at: number): string {
  let line = 1
  let from = 0
  for (let end = text.indexOf('\n'); end !== -1 && end < at; end = text.indexOf('\n', from)) {
    line++
    from = end + 1
  }
  const column = `column ${at - from + 1}`
  return line === 1 && !text.includes('\n') ? column : `line ${line}, ${column}`
}
