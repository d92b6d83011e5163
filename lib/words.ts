import { distance } from 'fastest-levenshtein'

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

/** More mistakes than that, or than one in three characters, and another word is meant. */
const MOST_MISTAKES = 3

/** The known word that was probably meant, whatever its case; a longer one that begins with it is as far as may be. */
export function closest(wanted: string, known: string[]): string | undefined {
  const text = wanted.toLowerCase()
  const most = Math.min(MOST_MISTAKES, Math.floor(text.length / 3))
  let best: { word: string; mistakes: number } | undefined
  for (const word of known) {
    const other = word.toLowerCase()
    const limit = best ? best.mistakes - 1 : most
    // Words of another length can't be near; looking costs more than their lengths.
    let mistakes = Math.abs(other.length - text.length) > limit ? Infinity : distance(text, other)
    if (most > 0 && other.startsWith(text)) mistakes = Math.min(mistakes, most)
    if (mistakes <= limit) best = { word, mistakes }
  }
  return best?.word
}
