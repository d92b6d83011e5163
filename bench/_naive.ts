// The control, a common first design: each request is one LPUSH; a worker takes one event at a time (BRPOP), upserts
// its minute and sums the month to find the tenant's usage. Arguments: serve or work.
import { createServer } from 'node:http'
import { Redis } from 'ioredis'
import postgres from 'postgres'

const valkey = new Redis(process.env.VALKEY_URL!)
const queue = process.env.QUEUE_NAME!

if (process.argv[2] === 'serve') {
  createServer((req, res) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('end', () => {
      if (req.method !== 'POST') return void res.end('{}')
      valkey.lpush(queue, JSON.stringify(JSON.parse(Buffer.concat(chunks).toString()))).then(
        () => res.writeHead(201, { 'content-type': 'application/json' }).end('{"success":true}'),
        () => res.writeHead(503).end(),
      )
    })
  }).listen(Number(process.env.PORT), '127.0.0.1')
} else {
  const database = postgres(process.env.DATABASE_URL!, { max: 1 })
  for (;;) {
    const [, text] = (await valkey.brpop(queue, 0))!
    const { tenant, feature, tokens } = JSON.parse(text) as { tenant: string; feature: string; tokens: number }
    await database`
      insert into naive_rollups as r (tenant, feature, minute, total_tokens)
      values (${tenant}, ${feature}, date_trunc('minute', now()), ${tokens})
      on conflict (tenant, feature, minute) do update set total_tokens = r.total_tokens + excluded.total_tokens`
    await database`
      select sum(total_tokens) from naive_rollups
      where tenant = ${tenant} and minute >= date_trunc('month', now()) - interval '1 month'`
  }
}
