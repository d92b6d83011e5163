// Runs in its own thread, so that the attacker's work in the test's thread does not count as a slow server.
import { readFileSync } from 'node:fs'
import http from 'node:http'
import { parentPort, workerData } from 'node:worker_threads'

const { url, pid, body, authorization } = workerData
/** Since the last report: answers by kind, the times of events, and the most server CPU time during one `live`. */
let seen = { statuses: {}, ms: [], workMs: 0 }
let running = true

/** CPU time of the server's main thread so far: unlike elapsed time, it does not depend on other processes. */
function workMs() {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6
  } catch {
    return 0 // not Linux
  }
}

/** Sends a request. Returns its status and how long it took, whatever the outcome. */
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
    const before = workMs()
    const { status, ms } = await ask(agent, method, path, payload)
    if (name === 'event') seen.ms.push(ms)
    else seen.workMs = Math.max(seen.workMs, workMs() - before)
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
parentPort.on('message', async (what) => {
  if (what === 'stop') {
    running = false
    await done
  }
  const told = seen
  seen = { statuses: {}, ms: [], workMs: 0 }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort.postMessage(told)
})
