import { useEffect, useState } from 'preact/hooks'

/**
 * The current path; renders again whenever it changes. Links are plain links: those within the page are followed
 * without loading it again.
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

/** Goes to a path in this page. */
export function go(path: string): void {
  history.pushState(null, '', path)
  dispatchEvent(new PopStateEvent('popstate'))
  scrollTo(0, 0)
}

/** The path of the overview, with its last search and order. */
export let overviewPath = '/'

/** Keeps the search and order of the overview in its address, so that going back and bookmarks show the same. */
export function keepOverview(query: Record<string, string>): void {
  const text = new URLSearchParams(query).toString()
  overviewPath = text === '' ? '/' : `/?${text}`
  history.replaceState(null, '', overviewPath)
}

/** The path of a user's page; undefined: browsers would resolve the name, `.` or `..`. */
export const userPath = (tenantId: string, user: string): string | undefined =>
  /^\.{1,2}$/.test(user) ? undefined : `/tenants/${tenantId}/users/${encodeURIComponent(user)}`

/** The path of a tenant's page. Browsers resolve `.` and `..` in paths, so for such names it uses the id. */
export const tenantPath = (name: string, id: string): string =>
  `/tenants/${/^\.{1,2}$/.test(name) ? id : encodeURIComponent(name)}`
