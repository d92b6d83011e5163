import type { ComponentChildren } from 'preact'
import type { Loaded } from './loaded.ts'

interface Props<T> {
  of: Loaded<T[]>
  /** What to say when the list is empty. */
  empty: string
  children: (item: T) => ComponentChildren
}

/** A loaded list, or whether it is still loading, failed to load, or is empty: these must look different. */
export function List<T>({ of: { value, error, reload }, empty, children }: Props<T>) {
  return (
    <>
      {error && (
        <p class="problem" role="alert">
          {value ? `Not up to date: ${error.message}` : error.message}{' '}
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
