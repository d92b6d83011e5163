/** Texts that a careless array, statement or log would mangle. */
export const HOSTILE_TEXTS = [
  'a,b',
  '{}',
  '"',
  '\\',
  '\\"',
  '}","{',
  'NULL',
  'null',
  ' padded ',
  "it's",
  '$1',
  '%s',
  'größe 模型 😀',
  '()[]',
  '\u00a0',
]
