// The upper bound: node:http that only reads and parses a body, then answers. Plain JavaScript, so that no loader gets
// in the way. Arguments: status, answer.
import { createServer } from 'node:http'

const [status, answer] = process.argv.slice(2)
const headers = {
  'content-type': 'application/json',
  'content-length': Buffer.byteLength(answer),
  'x-request-id': '8a1dc365-d946-4a9c-a394-ca1e6a521212',
}
// As in the product: the value appears in the Keep-Alive header, and both answers should have the same bytes.
const server = createServer({ keepAliveTimeout: 75_000 }, (req, res) => {
  const chunks = []
  req.on('data', (chunk) => chunks.push(chunk))
  req.on('end', () => {
    if (chunks.length > 0) JSON.parse(Buffer.concat(chunks).toString())
    res.writeHead(Number(status), headers)
    res.end(answer)
  })
})
server.listen(Number(process.env.PORT), '127.0.0.1')
process.on('SIGTERM', () => process.exit(0))
