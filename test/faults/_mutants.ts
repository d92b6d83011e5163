/** A deliberate mistake in the product. A run that misses it would also miss the real one. */
export interface Mutant {
  name: string
  edits: { file: string; from: string; to: string }[]
  /** What gives it away: a figure that is not 0, or a line about something else that is wrong. */
  shows: 'lost' | 'doubled' | 'unsent' | RegExp
  /** Valkey's settings, if the mistake is there. */
  valkey?: Record<string, string>
}

/** Counts every given event, even one recorded before. */
const COUNT_ALL = {
  file: 'sql/functions/record_events.sql',
  from: 'from inserted i\n      group by',
  to: `from (
      select n.*
      from unnest(p_tenants, p_features, p_created_ats, p_tokens) as e (tenant_id, feature, created_at, tokens)
      cross join lateral jsonb_populate_record(null::events, to_jsonb(e)) as n
    ) as i
    group by`,
}

export const noDedupe: Mutant = { name: 'no dedupe', shows: 'doubled', edits: [COUNT_ALL] }

export const ackBeforeCommit: Mutant = {
  name: 'ack before commit',
  shows: 'lost',
  edits: [
    {
      file: 'lib/worker/consume.ts',
      from: 'if (messages && messages.length > 0) {',
      to: 'if (messages && messages.length > 0) { await stream.acknowledge(messages)',
    },
  ],
}

/** A worker killed between the two leaves an entry that is never taken over or deleted. */
export const ackInTwoSteps: Mutant = {
  name: 'XACK and XDEL apart',
  shows: /^not quiet: stream \d+, pending 0/,
  edits: [
    {
      file: 'lib/events/stream.ts',
      from: 'await valkey!.eval(ACKNOWLEDGE, 1, key, group, ...ids)',
      to: 'await Promise.all([valkey!.xack(key, group, ...ids), valkey!.xdel(key, ...ids)])',
    },
  ],
}

/** Inserts the events in one transaction, and adds them up in a second. */
export const twoTransactions: Mutant = {
  name: 'two transactions',
  shows: 'doubled',
  edits: [
    COUNT_ALL,
    {
      file: 'lib/events/record.ts',
      from: 'const rows = await queryAgain<CounterRow>(',
      to: `const inserted = await queryAgain<{ id: string }>(ctx.database, \`
        insert into events (tenant_id, id, feature, tokens, created_at, received_at)
        select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::bigint[], $5::timestamptz[], $6::timestamptz[])
        order by 1, 2 on conflict do nothing returning id\`, toArrays(events).slice(0, 6))
      const ids = new Set(inserted.map(({ id }) => id))
      events = events.filter((event) => ids.delete(event.id))
      const rows = await queryAgain<CounterRow>(`,
    },
  ],
}

/** Acknowledges events even if an outage kept them from being recorded. */
export const outageIsDone: Mutant = {
  name: 'a failed batch counts as done',
  shows: 'lost',
  edits: [
    {
      file: 'handlers/rollup.ts',
      from: 'await recordEvents(ctx, batch, { isLastTry })',
      to: 'await recordEvents(ctx, batch).catch(() => ({ counters: [], poison: [] }))',
    },
  ],
}

export const outageIsPoison: Mutant = {
  name: 'an outage makes dead letters',
  shows: /valid events became dead letters/,
  edits: [
    {
      file: 'handlers/rollup.ts',
      from: 'await recordEvents(ctx, batch, { isLastTry })',
      to: `await recordEvents(ctx, batch).catch((error) => ({
        counters: [], poison: batch.map((event) => ({ event, sqlstate: '', reason: String(error) })) }))`,
    },
    {
      file: 'handlers/rollup.ts',
      from: 'if (dead.length > 0) await putAside(ctx, dead)',
      to: `for (let isDone = dead.length === 0; !isDone; await new Promise((resolve) => setTimeout(resolve, 100)))
        isDone = await putAside(ctx, dead).then(() => true, () => false)`,
    },
  ],
}

export const refusedIsAccepted: Mutant = {
  name: 'a refused write counts as accepted',
  shows: 'lost',
  edits: [
    {
      file: 'lib/events/intake.ts',
      from: `'stream write failed; recording in PostgreSQL')
      return undefined`,
      to: `'stream write failed; recording in PostgreSQL')
      return { poison: [], isOver: () => false }`,
    },
  ],
}

/** What to do when recording straight to PostgreSQL fails. */
const recordOtherwise = (otherwise: string): Mutant['edits'] => [
  { file: 'lib/events/intake.ts', from: 'recordEvents(ctx, events', to: 'recordOtherwise(ctx, events' },
  {
    file: 'lib/events/intake.ts',
    from: '/** Makes events durable. */',
    to:
      'const recordOtherwise = (ctx, events, ...rest) => ' +
      `recordEvents(ctx, events, ...rest).catch(() => ${otherwise})\n`,
  },
]

/** Answers as if events were stored that PostgreSQL refused or did not answer in time. */
export const failedIsAccepted: Mutant = {
  name: 'a failed commit counts as accepted',
  shows: 'lost',
  edits: recordOtherwise('({ counters: [], poison: [] })'),
}

/** Takes a time-out for a failure, and what timed out for something that never happened. */
export const anewWithOtherIds: Mutant = {
  name: 'after a time-out, anew with other ids',
  shows: 'unsent',
  edits: recordOtherwise('recordEvents(ctx, events.map((event) => ({ ...event, id: crypto.randomUUID() })), ...rest)'),
}

export const poisonTakesAll: Mutant = {
  name: 'poison takes its batch along',
  shows: /valid events became dead letters/,
  edits: [
    {
      file: 'lib/events/record.ts',
      from: 'return await comeApart(ctx, events, error as Error, options)',
      to: "return { counters: [], poison: events.map((event) => ({ event, sqlstate: errorCode(error), reason: '' })) }",
    },
  ],
}

/** The driver's own mistake: it sends ROLLBACK to a connection that is gone. */
export const rollbackToNobody: Mutant = {
  name: 'a rollback after the connection',
  shows: /^flagmeter serve ended by itself/,
  edits: [{ file: 'lib/store/database.ts', from: 'if (isLost) await new Promise(() => {})', to: '' }],
}

const SUM = '(select sum(r.total_tokens)::bigint from rollups r where r.tenant_id = m.tenant_id)'

export const thresholdBySum: Mutant = {
  name: 'threshold by SUM',
  shows: /alerts missing/,
  edits: [
    {
      file: 'sql/functions/record_events.sql',
      from: 'and threshold_reached(m.used, m.token_limit, threshold)',
      to: `and threshold_reached(${SUM}, m.token_limit, threshold)`,
    },
    {
      file: 'sql/functions/record_events.sql',
      from: 'not threshold_reached(m.used - m.added, m.token_limit, threshold)',
      to: `not threshold_reached(${SUM} - m.added, m.token_limit, threshold)`,
    },
  ],
}

export const settledBeforeSent: Mutant = {
  name: 'delivered before it is sent',
  shows: /deliveries never received/,
  edits: [
    {
      file: 'handlers/deliver.ts',
      from: 'const outcome = await attempt(ctx, delivery)',
      to: `await query(ctx.database, deliverySettleSql,
        [delivery.tenant_id, delivery.id, delivery.attempts, 'delivered', null, 200, null])
      const outcome = await attempt(ctx, delivery)`,
    },
  ],
}

/** A settlement that waits in the stream does not keep its hold. */
export const streamIsForgotten: Mutant = {
  name: 'holds lapse whatever waits in the stream',
  shows: /overbooked/,
  edits: [{ file: 'handlers/lapse.ts', from: 'await waiting(ctx)', to: '{ until: undefined, patienceMs: 0 }' }],
}

/** Ignores usage that is reported after its hold has ended. */
export const onlyHeldSettles: Mutant = {
  name: 'a settlement counts only while its hold lasts',
  shows: 'lost',
  edits: [
    {
      file: 'sql/functions/record_events.sql',
      from: 'order by e.tenant_id, e.id, e.place',
      to: `where not exists (
        select from reservations r
        where r.tenant_id = e.tenant_id and r.id = e.id and r.status in ('released', 'lapsed'))
      order by e.tenant_id, e.id, e.place`,
    },
  ],
}

/** A mistake in Valkey's settings, not the product: one that `flagmeter config check` warns about. */
export const valkeyWith = (name: string, value: string): Mutant => ({
  name: `${name} ${value}`,
  shows: 'lost',
  edits: [],
  valkey: { [name]: value },
})
