/** A longer text is not searched: this one takes 10 ms at most, which others have to wait. */
const SEARCHED_CHARACTERS = 256 * 1024

/** What is neither a bracket, a comma, a colon nor a string (RFC 8259). */
const LITERAL = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y
const HEX = /[\da-fA-F]{4}/y

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
  let next: Next = 'value'
  let at = 0
  for (;;) {
    while (isSpace(text[at])) at++
    if (at === text.length) break
    const kind = text[at]!
    const end = endOf(text, at, kind)
    if (end === 0 && kind === '"')
      return { at, reason: 'a string has no end, or a line break, control character or wrong escape in it' }
    const after: Next | undefined = end === 0 ? undefined : step(next, kind, open)
    if (after === undefined) return { at, reason: `expected ${IN_WORDS[next]}` }
    next = after
    at = end
  }
  return next === 'end' ? undefined : { at, reason: `it ends too early, expected ${IN_WORDS[next]}` }
}

const isSpace = (char: string | undefined): boolean => char === ' ' || char === '\n' || char === '\r' || char === '\t'

/** Where the token that begins at a place ends; 0: there is none. */
function endOf(text: string, at: number, kind: string): number {
  if ('[]{},:'.includes(kind)) return at + 1
  if (kind === '"') return endOfString(text, at + 1)
  LITERAL.lastIndex = at
  return LITERAL.test(text) ? LITERAL.lastIndex : 0
}

function endOfString(text: string, from: number): number {
  for (let at = from; at < text.length; at++) {
    const char = text[at]!
    if (char === '"') return at + 1
    if (char < ' ') return 0
    if (char !== '\\') continue
    at++
    if (text[at] === 'u') {
      HEX.lastIndex = at + 1
      if (!HEX.test(text)) return 0
      at += 4
    } else if (!'"\\/bfnrt'.includes(text[at] ?? ' ')) return 0
  }
  return 0
}

/** Takes a token, by its first character, and returns what may follow it; undefined: it may not stand here. */
function step(next: Next, kind: string, open: string[]): Next | undefined {
  const inside = open.at(-1)
  const closes = (kind === ']' && inside === '[') || (kind === '}' && inside === '{')
  if (closes && (next === 'comma' || next === 'first value' || next === 'first name')) {
    open.pop()
    return open.length === 0 ? 'end' : 'comma'
  }
  if (next === 'comma') return kind === ',' ? (inside === '[' ? 'value' : 'name') : undefined
  if (next === 'colon') return kind === ':' ? 'value' : undefined
  if (next === 'name' || next === 'first name') return kind === '"' ? 'colon' : undefined
  if (next === 'end' || ',:]}'.includes(kind)) return undefined
  if (kind === '[' || kind === '{') {
    open.push(kind)
    return kind === '[' ? 'first value' : 'first name'
  }
  return open.length === 0 ? 'end' : 'comma'
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
