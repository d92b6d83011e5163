import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Session, UsageSummary } from './api_types.ts'
import { exact, leftOf, reachedOf, runsOutAt } from './format.ts'
import { FirstSteps, NewTenant } from './first_steps.tsx'
import { type Live, useLive } from './live.ts'
import { keepOverview } from './router.ts'
import { Row, useRowHeight } from './row.tsx'
import { useTrends } from './sparkline.tsx'
import { TotalsBar } from './totals.tsx'

/** Rows rendered above and below the visible ones. */
const SPARE = 6
/** Figures change all the time, but an order that does too can't be read. */
const SORT_EVERY_MS = 2_000

type Column = 'tenant' | 'used' | 'tokens' | 'left' | 'pace' | 'runs-out'
const COLUMNS: Record<
  Column,
  [label: string, title: string, value: (row: UsageSummary, now: number) => number | string]
> = {
  tenant: ['Tenant', 'By name', (row) => row.tenantName.toLowerCase()],
  used: ['Used', 'Percent of the monthly quota', (row) => row.quotaPercent],
  tokens: ['Tokens', 'Tokens in this billing period', (row) => row.totalTokens],
  left: ['Left', 'Tokens left to use or reserve', leftOf],
  pace: ['Per minute', 'Tokens in the last 60 seconds', (row) => row.tokensPerMinute],
  'runs-out': ['Runs out', 'If usage continues at the pace of the last 24 hours', runsOutAt],
}

/** All tenants and how much of their quota they have used. */
export function Overview({ live, session }: { live: Live; session: Session }) {
  const { tenants, isLoaded, totals } = useLive(live)
  const [search, setSearch] = useState(() => new URLSearchParams(location.search).get('search') ?? '')
  const [sort, setSort] = useState(sortOfAddress)
  const heading = useRef<HTMLHeadingElement>(null)
  const body = useRef<HTMLDivElement>(null)
  const rowHeight = useRowHeight()
  const [view, setView] = useState({ top: 0, height: 800 })
  const order = useOrder(tenants, search, sort, body)

  let warned = 0
  for (const row of tenants.values()) if (reachedOf(row.quotaPercent, row.thresholds) !== undefined) warned++
  useEffect(() => {
    document.title = warned > 0 ? `(${warned}) FlagMeter` : 'FlagMeter'
  }, [warned])
  useEffect(
    () =>
      keepOverview({
        ...(search !== '' && { search }),
        ...((sort.column !== 'used' || !sort.isDown) && { sort: (sort.isDown ? '-' : '') + sort.column }),
      }),
    [search, sort],
  )
  useEffect(() => {
    if (isFirstPage) isFirstPage = false
    else heading.current?.focus()
  }, [])
  useEffect(() => {
    const measure = () => body.current && setView({ top: body.current.scrollTop, height: body.current.clientHeight })
    measure()
    addEventListener('resize', measure)
    return () => removeEventListener('resize', measure)
  }, [isLoaded])
  useSlashKey()

  const from = Math.max(0, Math.floor(view.top / rowHeight) - SPARE)
  const rows = order
    .slice(from, Math.ceil((view.top + view.height) / rowHeight) + SPARE)
    .flatMap((id) => tenants.get(id) ?? [])
  const trendOf = useTrends(rows.map((row) => row.tenant))
  const isEmpty = isLoaded && [...tenants.values()].every((row) => row.eventCount === 0 && row.tokensLastDay === 0)

  const now = Date.now()
  return (
    <div class="overview">
      <TotalsBar totals={totals} tenants={tenants.size} warned={warned} />
      {isEmpty && <FirstSteps tenant={tenants.values().next().value?.tenantName ?? 'acme-corp'} />}
      <div class="tools">
        <h1 ref={heading} tabIndex={-1}>
          Tenants
        </h1>
        <input
          type="search"
          aria-label="Search tenants"
          placeholder="Search ( / )"
          value={search}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
        {session.scopes.includes('admin') && <NewTenant />}
      </div>
      <div class="table" role="table" aria-label="Tenants" aria-rowcount={order.length + 1} aria-busy={!isLoaded}>
        <div role="rowgroup" class="head">
          <div role="row" aria-rowindex={1} class="cells">
            {(Object.keys(COLUMNS) as Column[]).map((column) => (
              <Head key={column} column={column} sort={sort} onSort={setSort} />
            ))}
            <span role="columnheader" class="line">
              This period
            </span>
          </div>
        </div>
        <div
          role="rowgroup"
          class="body"
          ref={body}
          onScroll={({ currentTarget }) =>
            setView({ top: currentTarget.scrollTop, height: currentTarget.clientHeight })
          }
        >
          <div class="space" style={{ height: `${order.length * rowHeight}px` }} role="presentation">
            {rows.map((row, i) => (
              <Row
                key={row.tenant}
                row={row}
                index={from + i}
                top={(from + i) * rowHeight}
                now={now}
                trend={trendOf(row.tenant)}
              />
            ))}
          </div>
        </div>
      </div>
      <p class="muted" role="status">
        {!isLoaded
          ? `Loading … ${exact(tenants.size)} tenants so far`
          : search !== ''
            ? `${exact(order.length)} of ${exact(tenants.size)} tenants`
            : ''}
      </p>
    </div>
  )
}

type Sort = { column: Column; isDown: boolean }

/** A newly opened page starts at the top; coming from another page moves the focus to the heading. */
let isFirstPage = true

/** Like `left` or `-tokens`. */
function sortOfAddress(): Sort {
  const given = new URLSearchParams(location.search).get('sort') ?? '-used'
  const column = given.replace(/^-/, '')
  return Object.hasOwn(COLUMNS, column)
    ? { column: column as Column, isDown: given.startsWith('-') }
    : { column: 'used', isDown: true }
}

function Head({ column, sort, onSort }: { column: Column; sort: Sort; onSort: (sort: Sort) => void }) {
  const [label, title] = COLUMNS[column]
  const isSorted = sort.column === column
  return (
    <span role="columnheader" class={column} aria-sort={isSorted ? (sort.isDown ? 'descending' : 'ascending') : 'none'}>
      <button
        type="button"
        title={title}
        onClick={() =>
          onSort({ column, isDown: isSorted ? !sort.isDown : column !== 'tenant' && column !== 'runs-out' })
        }
      >
        {label}
        <span aria-hidden="true">{isSorted ? (sort.isDown ? ' ↓' : ' ↑') : ''}</span>
      </button>
    </span>
  )
}

/** The ids in order, which stays fixed under the mouse and while a row has the focus. */
function useOrder(
  tenants: Live['tenants'],
  search: string,
  sort: Sort,
  body: { current: HTMLDivElement | null },
): string[] {
  const last = useRef({ at: 0, what: '', ids: [] as string[] })
  const what = JSON.stringify([search, sort, tenants.size])
  const isHeld = () => body.current?.matches(':hover, :focus-within') === true
  if (what !== last.current.what || (Date.now() - last.current.at > SORT_EVERY_MS && !isHeld())) {
    const now = Date.now()
    const value = COLUMNS[sort.column][2]
    const sought = search.trim().toLowerCase()
    const found = [...tenants.values()]
      .filter((row) => sought === '' || row.tenantName.toLowerCase().includes(sought) || row.tenant === sought)
      .map((row) => ({ id: row.tenant, name: row.tenantName, value: value(row, now) }))
    const sign = sort.isDown ? -1 : 1
    found.sort((a, b) => (a.value < b.value ? -sign : a.value > b.value ? sign : a.name < b.name ? -1 : 1))
    last.current = { at: now, what, ids: found.map(({ id }) => id) }
  }
  return last.current.ids
}

/** Before the page is painted, not after: once the field is visible, the key must work. */
function useSlashKey(): void {
  useLayoutEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== '/' || (event.target as Element).matches('input, textarea, select')) return
      event.preventDefault()
      document.querySelector<HTMLInputElement>('input[type=search]')?.focus()
    }
    addEventListener('keydown', onKey)
    return () => removeEventListener('keydown', onKey)
  }, [])
}
