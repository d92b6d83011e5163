import type { Dashboard, Panel } from '@grafana/schema/dist/esm/raw/dashboard/x/Dashboard_types.gen'

export type { Dashboard }

/** A query and the name of its series. */
export interface Query {
  query: string
  legend?: string
}

interface Options {
  unit?: string
  /** In 24ths of the page. */
  width?: number
  type?: 'timeseries' | 'stat' | 'table' | 'logs' | 'barchart'
}

export const PROMETHEUS = { type: 'prometheus', uid: 'prometheus' }
export const POSTGRES = { type: 'grafana-postgresql-datasource', uid: 'postgres' }
export const LOKI = { type: 'loki', uid: 'loki' }

const HEIGHT = 8

/** A panel of Prometheus queries. */
export const metrics = (title: string, queries: Query[], options: Options = {}): Panel =>
  panel(title, PROMETHEUS, options, (refId, i) => ({
    refId,
    expr: queries[i]!.query,
    legendFormat: queries[i]!.legend ?? '__auto',
  }))(queries.length)

/** A panel of one PostgreSQL query. */
export const sql = (title: string, query: string, options: Options = {}): Panel =>
  panel(title, POSTGRES, options, (refId) => ({
    refId,
    rawSql: query,
    rawQuery: true,
    editorMode: 'code',
    format: options.type === 'timeseries' ? 'time_series' : 'table',
  }))(1)

/** The log lines of a Loki query. */
export const logs = (title: string, query: string): Panel =>
  panel(title, LOKI, { type: 'logs', width: 24 }, (refId) => ({ refId, expr: query, queryType: 'range' }))(1)

const panel =
  (
    title: string,
    datasource: { type: string; uid: string },
    { unit = 'short', width = 8, type = 'timeseries' }: Options,
    target: (refId: string, index: number) => Record<string, unknown>,
  ) =>
  (queries: number): Panel => ({
    type,
    title,
    datasource,
    targets: Array.from({ length: queries }, (_, i) => ({ datasource, ...target(String.fromCodePoint(65 + i), i) })),
    fieldConfig: { defaults: { unit }, overrides: [] },
    gridPos: { x: 0, y: 0, w: width, h: HEIGHT },
  })

/** A dashboard whose panels flow from left to right, then down. */
export function dashboard(uid: string, title: string, panels: Panel[], refresh: string): Dashboard {
  let x = 0
  let y = 0
  const placed = panels.map((one, i) => {
    const w = one.gridPos!.w
    if (x + w > 24) [x, y] = [0, y + HEIGHT]
    const gridPos = { x, y, w, h: HEIGHT }
    x += w
    return { ...one, id: i + 1, gridPos }
  })
  return {
    uid,
    title,
    tags: ['flagmeter'],
    schemaVersion: 42,
    editable: false,
    refresh,
    time: { from: 'now-6h', to: 'now' },
    timezone: 'browser',
    panels: placed,
  }
}
