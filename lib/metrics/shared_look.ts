/**
 * One look for all who want it: who asks while it goes on gets its outcome, and who asks within `forMs` after its
 * beginning gets the last one. Each owner has its own.
 */
export function openSharedLook<Owner extends object, Seen>(
  look: (owner: Owner) => Promise<Seen>,
  forMs: number,
): (owner: Owner) => Promise<Seen> {
  const looks = new WeakMap<Owner, { seen: Promise<Seen>; at: number; isOver: boolean }>()
  return (owner) => {
    const last = looks.get(owner)
    if (last && (!last.isOver || performance.now() - last.at < forMs)) return last.seen
    const next = { seen: look(owner), at: performance.now(), isOver: false }
    const end = () => void (next.isOver = true)
    next.seen.then(end, end)
    looks.set(owner, next)
    return next.seen
  }
}
