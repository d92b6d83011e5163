import { type Transaction, query } from './database.ts'
import type { Database } from './connection.ts'
import { errorCode } from './outage.ts'
import { loadSql } from './sql.ts'

/** Where FlagMeter is in a database. */
export interface Found {
  /** The schemas that have FlagMeter's tables. */
  installed: string[]
  /** The one this connection uses; null: the database is not migrated. */
  current: string | null
  /** Where a new installation goes. */
  target: string
  /** `target` was set with DATABASE_SCHEMA. */
  is_chosen: boolean
  target_exists: boolean
  /** The tables and views in it now. */
  target_tables: string[]
}

/** Finds FlagMeter in the database. */
export const findSchema = async (database: Database): Promise<Found> =>
  (await query<Found>(database, loadSql('queries/schema_find')))[0]!

/** As `findSchema`, with what the transaction has done. */
export const findInTransaction = async (transaction: Transaction): Promise<Found> =>
  (await transaction.unsafe<Found[]>(loadSql('queries/schema_find')))[0]!

/** FlagMeter can't use the schema it should use. */
export class SchemaError extends Error {}

/**
 * Creates the schema if there is none, and makes it the only one on this transaction's path.
 * @throws SchemaError that says what to do
 */
export async function enterSchema(transaction: Transaction): Promise<void> {
  const { installed, current, target, is_chosen, target_exists, target_tables } = await findInTransaction(transaction)
  const schema = current ?? target
  if (current === null) {
    if (installed.includes(target)) throw new SchemaError(notGranted(await userOf(transaction), target))
    const [other] = installed
    if (other !== undefined && !is_chosen)
      throw new SchemaError(
        `this database already has FlagMeter in the schema ${other}; nothing was changed. ` +
          `Set DATABASE_SCHEMA=${other} to use it, or DATABASE_SCHEMA=${target} for a second installation`,
      )
    if (target_tables.length > 0)
      throw new SchemaError(
        `the schema ${target} has tables that are not FlagMeter's (${target_tables.slice(0, 3).join(', ')}); ` +
          'nothing was changed. Set DATABASE_SCHEMA to another name',
      )
    if (!target_exists) await createSchema(transaction, target)
  }
  await setPath(transaction, schema)
  const [row] = await transaction<{ may: boolean }[]>`select has_schema_privilege(${schema}, 'create') as may`
  if (!row!.may) throw new SchemaError(notGranted(await userOf(transaction), schema))
}

/** Puts FlagMeter's schema alone on this transaction's path. @throws SchemaError when the database is not migrated */
export async function stayInSchema(transaction: Transaction): Promise<void> {
  const { current } = await findInTransaction(transaction)
  if (current === null) throw new SchemaError('the database is not migrated')
  await setPath(transaction, current)
}

const setPath = (transaction: Transaction, schema: string): Promise<unknown> =>
  transaction`select set_config('search_path', ${`"${schema.replaceAll('"', '""')}"`}, true)`

async function createSchema(transaction: Transaction, schema: string): Promise<void> {
  const { user, database } = await userOf(transaction)
  try {
    await transaction`create schema ${transaction(schema)}`
  } catch (error) {
    if (errorCode(error) !== '42501') throw error
    throw new SchemaError(
      `the user ${user} may not create the schema ${schema}. A user who may can run ` +
        `\`create schema ${schema} authorization "${user}"\`, ` +
        `or \`grant create on database "${database}" to "${user}"\``,
    )
  }
}

interface User {
  user: string
  database: string
}

const userOf = async (transaction: Transaction): Promise<User> =>
  (await transaction<User[]>`select current_user::text as user, current_database()::text as database`)[0]!

const notGranted = ({ user }: User, schema: string): string =>
  `the user ${user} may not create tables in the schema ${schema}. Its owner can run ` +
  `\`grant usage, create on schema ${schema} to "${user}"\``
