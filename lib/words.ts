const SHOWN_CHARACTERS = 100

/** A number as people read it: 1,000,000,000. */
export const withCommas = (count: number): string => count.toLocaleString('en-US')

/** The beginning of a text that somebody else has written. */
export const shorten = (text: string): string =>
  text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`

/**
 * The beginning of a text that somebody else has written, in quotes, without characters that hide or reorder others.
 */
export const quote = (text: string): string => `'${shorten(text).replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, '\uFFFD')}'`
