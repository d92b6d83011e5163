/** Per event, on average: today's have at most five and six. 200,000 nested brackets are within it, and harmless. */
const NAMES = 12
const VALUES = 25
/** In one event. Each new name costs the parser as much as twenty numbers. */
const NAMES_OF_ONE = 1_000
/** A value takes so much memory and time, in bytes of text: what is parsed, checked and answered. */
const VALUE_BYTES = 200
/** A body of so few bytes is not looked at: parsing it costs less than knowing what it costs. */
const UNSCANNED = 1024
/** So many bytes of an array are parsed in one turn. */
const PART_BYTES = 128 * 1024

const [NEWLINE, QUOTE, COMMA, COLON, BACKSLASH] = [0x0a, 0x22, 0x2c, 0x3a, 0x5c]
const [BRACKET, BRACE, END_BRACKET, END_BRACE] = [0x5b, 0x7b, 0x5d, 0x7d]

/** What a body will cost. */
export interface Survey {
  /** Its bytes, and what its values take beside them. */
  weight: number
  /**
   * Of a long array: the places of commas between its elements, of which the parts from one to the next can be parsed
   * for themselves.
   */
  cuts: number[]
}

/**
 * Looks at JSON, or NDJSON, before it is parsed: at the commas, colons and brackets outside of strings. What has more
 * than `maxEvents` elements is too many `events`, what has more names or values than so many events need is `too
 * large`. 4 million elements take 90 ms and 40 MB to parse and as much again to answer, a million names half a second;
 * the scan ends early there, and takes 2 ms for 10,000 ordinary events.
 */
export function survey(body: Buffer, maxEvents: number, isLines: boolean): Survey | 'events' | 'too large' {
  const cuts: number[] = []
  if (body.length <= UNSCANNED) return { weight: body.length, cuts }
  const isArray = !isLines && body.subarray(0, UNSCANNED).toString('latin1').trimStart().startsWith('[')
  let [names, namesOfOne, values, elements, depth, cut] = [0, 0, 0, 1, 0, 0]
  let isText = false
  for (let i = 0; i < body.length; i++) {
    const byte = body[i]!
    if (isText) {
      // No string goes over a line, whatever comes before its end: what follows must not be hidden from us and seen by
      // the parser.
      if (byte === QUOTE || byte === NEWLINE) isText = false
      else if (byte === BACKSLASH && body[i + 1] !== NEWLINE) i++
    } else if (byte === QUOTE) isText = true
    else if (byte === COLON) {
      if (++names > NAMES * maxEvents || ++namesOfOne > NAMES_OF_ONE) return 'too large'
    } else if (byte === COMMA || byte === BRACKET || byte === BRACE) {
      if (++values > VALUES * maxEvents) return 'too large'
      if (byte !== COMMA) depth++
      else if (depth === 1 && isArray) {
        if (++elements > maxEvents) return 'events'
        namesOfOne = 0
        if (i - cut > PART_BYTES) cuts.push((cut = i))
      }
    } else if (byte === END_BRACKET || byte === END_BRACE) depth--
    else if (byte === NEWLINE && isLines) namesOfOne = 0
  }
  return { weight: body.length + VALUE_BYTES * values, cuts }
}

/** Whether there are more than `most` lines. */
export function hasMoreLines(body: Buffer, most: number): boolean {
  let lines = 0
  for (let at = body.indexOf(NEWLINE); at !== -1; at = body.indexOf(NEWLINE, at + 1)) {
    if (++lines > most) return true
  }
  return false
}
