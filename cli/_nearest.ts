import { closest, distance } from 'fastest-levenshtein'

/** The word that was probably meant, if one is close enough: up to a third of its letters may differ. */
export function nearest(word: string, known: string[]): string | undefined {
  const found = closest(word, known)
  return distance(word, found) <= Math.max(1, found.length / 3) ? found : undefined
}
