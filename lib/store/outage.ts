/** The SQLSTATE of an error from the server, or the code of a connection error. */
export const errorCode = (error: unknown): string => (error as { code?: string }).code ?? ''

/**
 * What says that PostgreSQL can't be reached, or can't work now (its manual, appendix A). Anything else is somebody's
 * mistake, or slow.
 */
const OUTAGE = new Set(
  [
    '08000 08001 08003 08004 08006 08007 08P01', // connection
    '28000 28P01', // not let in: a wrong password, or a role that may not
    '53000 53100 53200 53300 53400', // no disk, memory or connection left
    '57P01 57P02 57P03 57P05', // shutting down, crashed, starting, idle for too long
    '58000 58030', // its own files can't be read or written
    '25006', // read-only: a replica
    '40001 40P01 55P03', // others were in the way: serialization, deadlock, a lock that is held
    'ECONNREFUSED ECONNRESET ECONNABORTED EPIPE ETIMEDOUT EHOSTUNREACH EHOSTDOWN ENETUNREACH ENETDOWN EADDRNOTAVAIL',
    'ENOTFOUND EAI_AGAIN', // its name
    'EMFILE ENFILE', // this process has no socket left
    'CONNECT_TIMEOUT CONNECTION_CLOSED CONNECTION_ENDED CONNECTION_DESTROYED ANSWER_TIMEOUT', // the driver's, and ours
  ].flatMap((codes) => codes.split(' ')),
)

/** The database can't be reached or can't work now; the same statement will succeed later, and only that helps. */
export const isUnavailable = (error: unknown): boolean => OUTAGE.has(errorCode(error))

/** The server ended the statement because it took too long, or somebody told it to: it may succeed later, or never. */
export const isTooSlow = (error: unknown): boolean => errorCode(error) === '57014'

/**
 * There is no database yet, or nothing in it: servers start in any order, and wait for `migrate`. What one of our
 * functions misses is a mistake in it instead.
 */
export const isNotMigrated = (error: unknown): boolean =>
  ['3D000', '3F000', '42P01'].includes(errorCode(error)) && (error as { where?: string }).where === undefined
