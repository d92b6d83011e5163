import { useEffect, useState } from 'preact/hooks'

/**
 * The path, and a re-rendering whenever it changes. Links are plain links: those of this page are followed without
 * loading it again.
 */
export function usePath(): string {
  const [path, setPath] = useState(location.pathname)
  useEffect(() => {
    const onPop = () => setPath(location.pathname)
    const onClick = (event: MouseEvent) => {
      const link = (event.target as Element).closest('a')
      if (!link || link.origin !== location.origin || link.hash || event.defaultPrevented) return
      if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
      event.preventDefault()
      go(link.pathname + link.search)
    }
    addEventListener('popstate', onPop)
    addEventListener('click', onClick)
    return () => {
      removeEventListener('popstate', onPop)
      removeEventListener('click', onClick)
    }
  }, [])
  return path
}

/** Goes to a path of this page. */
export function go(path: string): void {
  history.pushState(null, '', path)
  dispatchEvent(new PopStateEvent('popstate'))
  scrollTo(0, 0)
}

/** Where the overview is, as it was last searched and sorted. */
export let overviewPath = '/'

/** Notes what the overview shows in its address, so that it is the same when one comes back, or opens a bookmark. */
export function keepOverview(query: Record<string, string>): void {
  const text = new URLSearchParams(query).toString()
  overviewPath = text === '' ? '/' : `/?${text}`
  history.replaceState(null, '', overviewPath)
}

/** The path of a tenant's page. A browser takes `.` and `..` for steps in the path: such a name stands as the id. */
export const tenantPath = (name: string, id: string): string =>
  `/tenants/${/^\.{1,2}$/.test(name) ? id : encodeURIComponent(name)}`
