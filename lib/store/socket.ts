import { Socket, isIP } from 'node:net'
import { Duplex } from 'node:stream'
import { type TLSSocket, connect } from 'node:tls'
import postgres from 'postgres'

/** How long a connection may take to be made; over TLS, again as long until statements may be sent. */
export const CONNECT_TIMEOUT_S = 5
/** Asks the server whether it speaks TLS: `S` or `N` (PostgreSQL's manual, "SSL Session Encryption"). */
const SSL_REQUEST = Buffer.from([0, 0, 0, 8, 4, 210, 22, 47])
/** Values of `sslmode` that encrypt, and trust any certificate; all others verify it, and the host's name in it. */
const UNVERIFIED = new Set<unknown>(['allow', 'prefer', 'require'])

/** What a URL says of TLS, as the driver reads it. */
interface Tls {
  ssl: string | false
  sslnegotiation: string | null
}

/** A socket with the name that a certificate must have. The driver, too, names both in errors. */
type HostSocket = Socket & { host?: string; port?: number }

/** The driver's options, one unknown to its types, that open the sockets of a pool: to each of its hosts in turn. */
export function socketsOf(databaseUrl: string) {
  const tls = postgres(databaseUrl, { max: 1 }).options as unknown as Tls
  let made = 0
  const socket = ({ host, port, path }: { host: string[]; port: number[]; path: string | false }) => {
    const opened: HostSocket = new Socket()
    if (path) opened.connect(path)
    else {
      const turn = made++ % host.length
      opened.host = host[turn]!
      opened.port = port[turn]!
      opened.connect(opened.port, opened.host)
    }
    return tls.ssl ? startTls(opened, tls) : closePromptly(opened)
  }
  return { socket, ssl: false }
}

/**
 * Lets a socket close in the moment it fails. Node tells of the error first and of the end a phase of its loop later,
 * and what the driver sends in between is lost: it stays in the driver's queue, and the next connection waits for its
 * answer for ever, or gives it an empty one. Here the end comes right behind the error, before any promise is heard.
 * Never the socket below TLS: its end frees what a handshake may still be using, and the process dies.
 */
function closePromptly(socket: Socket): Socket {
  const destroy = socket._destroy.bind(socket)
  socket._destroy = (error, callback) => {
    destroy(error, callback)
    process.nextTick(() => socket.emit('close', error !== null))
  }
  return socket
}

/**
 * Starts TLS, so that the driver needn't: when a connection has closed between a statement and its write, the driver
 * would keep its request for TLS, too short to be written at once, until the time to connect is over.
 */
async function startTls(plain: HostSocket, { ssl, sslnegotiation }: Tls): Promise<Duplex> {
  let socket: Socket = plain
  const late = () => socket.destroy(failure('CONNECT_TIMEOUT', 'the database did not answer in time'))
  const timer = setTimeout(late, CONNECT_TIMEOUT_S * 1000)
  try {
    await first(plain, 'connect')
    const isDirect = sslnegotiation === 'direct'
    if (!isDirect) {
      plain.write(SSL_REQUEST)
      const answer = String(await first(plain, 'data'))
      if (answer === 'N' && ssl === 'prefer') return closePromptly(plain)
      if (answer !== 'S') throw failure('08001', 'the database does not speak TLS, which sslmode asks for')
    }
    const host = plain.host ?? 'localhost'
    socket = connect({
      socket: plain,
      host,
      servername: isIP(host) ? '' : host,
      ...(isDirect && { ALPNProtocols: ['postgresql'] }),
      rejectUnauthorized: !UNVERIFIED.has(ssl),
    })
    await first(socket, 'secureConnect')
    return closePromptly(socket)
  } catch (error) {
    socket.destroy()
    return failed(error as Error)
  } finally {
    clearTimeout(timer)
  }
}

/** What comes with the first event of this name. @throws the socket's error, or that it closed */
const first = (socket: Socket | TLSSocket, event: string): Promise<unknown> =>
  new Promise((resolve, reject) => {
    socket.once(event, resolve)
    socket.on('error', reject)
    socket.once('close', () => reject(failure('CONNECTION_CLOSED', 'the database closed the connection')))
  })

const failure = (code: string, message: string): Error => Object.assign(new Error(message), { code })

/** A socket that only fails, as soon as the driver listens: it would lose a connection whose socket can't be opened. */
function failed(error: Error): Duplex {
  const socket = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  setImmediate(() => {
    socket.emit('error', error)
    socket.emit('close', true)
  })
  return socket
}
