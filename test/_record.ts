import type { Context } from '../lib/context.ts'

/** The ids of the example tenants. */
export async function tenantIds(ctx: Context): Promise<string[]> {
  return [...(await ctx.tenants.find(['acme-corp', 'globex-inc', 'initech-llc'])).values()]
}
/** One of them, at random. */
export const pick = <T>(values: T[]): T => values[Math.floor(Math.random() * values.length)]!
/** The sum of the tokens in a table. */
export const total = async (ctx: Context, table: string) =>
  Number((await ctx.database.unsafe(`select coalesce(sum(total_tokens), 0) as n from ${table}`))[0]!.n)
