import { Command } from 'commander'
import type { Price } from '../lib/prices/price.ts'
import type { Terminal } from './_command.ts'
import { ask, askAll } from './_http.ts'
import { idOf, momentAgo } from './_options.ts'
import { readPrices } from './_price_file.ts'
import { type View, minuteOf, printItem, printItems, printJson } from './_print.ts'
import { type ServerOptions, overHttp, withServer } from './_server.ts'

type Set = ServerOptions & { from?: string; input: string; output: string; request?: string } & Partial<
    Record<'cacheRead' | 'cacheWrite' | 'cacheWrite1h' | 'reasoning', string>
  >

interface Prices {
  catalogue: { source: string; url: string; license: string; date: string; models: number }
  prices: Price[]
}

/** Prices per request: the server takes as many. */
const SLICE = 1_000

/** `flagmeter price list|set|delete|import` */
export function priceCommand(terminal: Terminal): Command {
  const list = overHttp(
    new Command('list')
      .description('Lists your own prices, in US dollars per million tokens; with a model, all prices it may have.')
      .argument('[model]', 'as events name it'),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter price list gpt-4o')
    .action(async (model: string | undefined, options: ServerOptions) => {
      await withServer(terminal, options, async (server) => {
        const query = model === undefined ? 'limit=1' : `model=${encodeURIComponent(model)}`
        const { catalogue, prices: of } = await ask<Prices>({ server, path: `/api/prices?${query}` })
        const prices = model === undefined ? await askAll<Price>(server, '/api/prices', 'prices') : of
        if (options.json) return printJson(terminal, prices)
        printItems(terminal, options, prices, {
          ...PRICES,
          none: model === undefined ? 'no prices of your own' : `no price: the cost of ${model} is unknown`,
        })
        const { models, source, date, license, url } = catalogue
        const count = models.toLocaleString('en-US')
        terminal.out.write(`\ncatalogue: ${count} models of ${source}, as of ${date} (${license}, ${url})\n`)
      })
    })
  const set = overHttp(
    new Command('set')
      .description('Sets a price, in US dollars per million tokens. It comes before the price of the catalogue.')
      .argument('<model>', "as events name it, or the beginning of it with * behind it: 'our-llama-*'")
      .requiredOption('--input <dollars>', 'input that is neither read from a cache nor written to one')
      .requiredOption('--output <dollars>', 'output without reasoning')
      .option('--cache-read <dollars>', 'input read from a cache; default: as --input')
      .option('--cache-write <dollars>', 'input written to a cache; default: as --input')
      .option('--cache-write-1h <dollars>', 'input written to a cache for an hour; default: as --cache-write')
      .option('--reasoning <dollars>', 'reasoning; default: as --output')
      .option('--request <dollars>', 'for each call; default: 0')
      .option('--from <time>', 'from when: RFC 3339, a day, or like 30d for 30 days ago; default: now', momentAgo),
  )
    .addHelpText('after', "\nExample:\n  $ flagmeter price set 'our-llama-*' --input 0.25 --output 1.50 --from 30d")
    .action(async (model: string, { from, ...options }: Set) => {
      const { input, output, cacheRead, cacheWrite, cacheWrite1h, reasoning, request } = options
      const rates = { input, output, cacheRead, cacheWrite, cacheWrite1h, reasoning, request }
      const body = { model, effectiveFrom: from, ...rates }
      const made = await withServer(terminal, options, (server) => ask<Prices>({ server, path: '/api/prices', body }))
      printItem(terminal, options, made.prices[0]!, PRICES)
    })
  const remove = overHttp(
    new Command('delete')
      .description('Deletes a price of your own. Events keep what they cost.')
      .argument('<price>', 'its id, from `flagmeter price list`', idOf('a price', 'flagmeter price list')),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter price delete 0d5f3f52-3c0f-4a41-9a62-0f5f9f0d8a0b')
    .action(async (id: string, options: ServerOptions) => {
      const price = await withServer(terminal, options, (server) =>
        ask<Price>({ server, path: `/api/prices/${id}`, method: 'DELETE' }),
      )
      if (options.json) printJson(terminal, price)
      else terminal.out.write(`deleted the price of ${price.model}\n`)
    })
  const load = overHttp(
    new Command('import')
      .description(
        'Sets the prices of a file: of `flagmeter price list --json`, of LiteLLM ' +
          '(model_prices_and_context_window.json), or of models.dev (api.json).',
      )
      .argument('<file>', 'a JSON file')
      .option('--provider <id>', 'whose models, in a file of models.dev')
      .option('--from <time>', 'from when they apply, unless the file says it; default: now', momentAgo),
  )
    .addHelpText('after', '\nExample:\n  $ flagmeter price import api.json --provider anthropic')
    .action(
      async (file: string, { provider, from, ...options }: ServerOptions & { provider?: string; from?: string }) => {
        const given = await readPrices(file, provider)
        const effectiveFrom = from ?? new Date().toISOString() // the same for all
        const prices = given.prices.map((price) => ({ effectiveFrom, ...price }))
        const made = await withServer(terminal, options, async (server) => {
          const all: Price[] = []
          for (let at = 0; at < prices.length; at += SLICE) {
            const body = prices.slice(at, at + SLICE)
            all.push(...(await ask<Prices>({ server, path: '/api/prices', body })).prices)
          }
          return all
        })
        if (options.json) return printJson(terminal, made)
        const left = given.skipped > 0 ? `; ${given.skipped} have no price per token and were left out` : ''
        terminal.out.write(`set ${made.length.toLocaleString('en-US')} prices${left}\n`)
      },
    )
  const command = new Command('price')
    .description('Lists, sets and deletes prices: what the cost of a call is computed from.')
    .addHelpText('after', '\nExample:\n  $ flagmeter price list')
  for (const child of [list, set, remove, load]) command.addCommand(child)
  return command
}

const PRICES: View<Price> = {
  none: 'no prices',
  head: ['model', 'from (UTC)', 'input', 'output', 'cache read', 'cache write', 'reasoning', 'id, or catalogue', ''],
  row: (price) => [
    price.tiers ? `${price.model} (and above ${price.tiers.map(({ above }) => above).join(', ')})` : price.model,
    price.effectiveFrom === undefined ? 'always' : minuteOf(price.effectiveFrom),
    price.input,
    price.output,
    price.cacheRead,
    price.cacheWrite,
    price.reasoning,
    price.catalogue ?? price.id ?? '',
    price.inForce ? 'applies now' : '',
  ],
}
