// Runs in a thread of its own, so that what the attacker builds in the test's thread does not count as the server's slowness.
import http from 'node:http'
import { parentPort, workerData } from 'node:worker_threads'

const { url, body, authorization } = workerData
const seen = { live: 0, event: 0, statuses: {} }
let running = true

/** One request on a connection of its own; how long it took, whatever it was answered. */
function ask(agent, method, path, payload) {
  const at = performance.now()
  return new Promise((resolve) => {
    const headers = { authorization, 'content-type': 'application/json' }
    const request = http.request(url + path, { method, agent, headers, timeout: 60_000 }, (answer) => {
      answer.resume().on('end', () => resolve({ status: answer.statusCode, ms: performance.now() - at }))
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve({ status: 0, ms: performance.now() - at }))
    request.end(payload)
  })
}

async function probe(name, pauseMs, method, path, payload) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  while (running) {
    const { status, ms } = await ask(agent, method, path, payload)
    seen[name] = Math.max(seen[name], ms)
    const key = `${name} ${status}`
    seen.statuses[key] = (seen.statuses[key] ?? 0) + 1
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  agent.destroy()
}

const done = Promise.all([
  probe('live', 10, 'GET', '/api/health/live'),
  probe('event', 25, 'POST', '/api/events', body),
])
parentPort.once('message', async () => {
  running = false
  await done
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort.postMessage(seen)
})
