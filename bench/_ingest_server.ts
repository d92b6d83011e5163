// The ingest endpoint alone, from the sources. `open` leaves out the key check and limits, to show what they cost.
import ingest from '../handlers/event-ingest.ts'
import live from '../handlers/health-live.ts'
import type { Caller } from '../lib/auth/caller.ts'
import { parseConfig } from '../lib/config.ts'
import { openContext } from '../lib/context.ts'
import type { HttpHandler } from '../lib/http/endpoint.ts'
import { closeHttpServer, createHttpServer } from '../lib/http/server.ts'

const open = process.argv[2] === 'open'
const config = parseConfig({ ...process.env, ...(open && { LIMIT_REQUESTS: '0', LIMIT_EVENTS: '0' }) })
const { ctx, release } = await openContext(config)
const caller: Caller = { keyId: '', keyName: '', scopes: [] }
const unchecked: HttpHandler = { ...ingest, auth: 'none', handle: (of, call) => ingest.handle(of, { ...call, caller }) }
const server = createHttpServer(ctx, [open ? unchecked : ingest, live])
server.listen(config.port, config.host)
process.once('SIGTERM', () => void closeHttpServer(server, 5_000).then(release))
