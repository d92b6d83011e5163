/**
 * Waits at most this long for work. Late work continues by itself: only the waiting ends.
 * @throws what the work throws, or what `late` makes of its being late
 */
export async function inTime<T>(work: PromiseLike<T>, withinMs: number, late: () => Error): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(late()), withinMs)
  })
  try {
    return await Promise.race([work, tooLate])
  } finally {
    clearTimeout(timer)
  }
}
