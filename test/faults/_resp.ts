/** A value of the Redis protocol. An error is its text, including the leading `-`. */
export type Value = string | number | null | Value[]

/** Reads one value at `at`; undefined if bytes are still missing. RESP 2, and the answer types added by RESP 3. */
export function parseValue(data: Buffer, at = 0): { value: Value; end: number } | undefined {
  const lineEnd = data.indexOf('\r\n', at)
  if (lineEnd === -1) return undefined
  const type = String.fromCharCode(data[at]!)
  const line = data.toString('utf8', at + 1, lineEnd)
  const end = lineEnd + 2
  if ('$=!'.includes(type)) {
    if (line === '-1') return { value: null, end }
    const stop = end + Number(line)
    if (data.length < stop + 2) return undefined
    return { value: data.toString('utf8', end, stop), end: stop + 2 }
  }
  if ('*~>%'.includes(type)) {
    if (line === '-1') return { value: null, end }
    return parseList(data, end, Number(line) * (type === '%' ? 2 : 1))
  }
  if (type === '_') return { value: null, end }
  if (type === ':') return { value: Number(line), end }
  return { value: type === '-' ? `-${line}` : line, end }
}

function parseList(data: Buffer, at: number, length: number): { value: Value[]; end: number } | undefined {
  const value: Value[] = []
  let end = at
  for (let i = 0; i < length; i++) {
    const item = parseValue(data, end)
    if (!item) return undefined
    value.push(item.value)
    end = item.end
  }
  return { value, end }
}
