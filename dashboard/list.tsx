import type { ComponentChildren } from 'preact'
import type { Loaded } from './loaded.ts'

interface Props<T> {
  of: Loaded<T[]>
  /** What to say when there is nothing. */
  empty: string
  children: (item: T) => ComponentChildren
}

/** A list that was loaded; or that it is still loading, did not load, or holds nothing: these are not the same. */
export function List<T>({ of: { value, error, reload }, empty, children }: Props<T>) {
  return (
    <>
      {error && (
        <p class="problem" role="alert">
          {value ? `Not of now: ${error.message}` : error.message}{' '}
          <button type="button" class="quiet" onClick={reload}>
            Try again
          </button>
        </p>
      )}
      {!value && !error && (
        <p class="muted" aria-busy="true">
          Loading …
        </p>
      )}
      {value?.length === 0 && <p class="muted">{empty}</p>}
      {value && value.length > 0 && <ul class="list">{value.map(children)}</ul>}
    </>
  )
}
