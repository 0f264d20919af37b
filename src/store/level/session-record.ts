/**
 * A session's record as JSON, which a person can read with any LevelDB tool; the bytes of a will are in base64.
 *
 * A field can be added without a new FORMAT_VERSION when its absence has a meaning, said here, and an older broker may pass
 * over it. `will` was added so: none means that no will is to be published; `proved` and `grants`, which then are false and none.
 */

import { NO_GRANTS } from '../../core/grants.ts'
import type { Will } from '../../core/will.ts'
import type { SessionRecord } from '../store.ts'

interface StoredRecord extends Omit<SessionRecord, 'will'> {
  will?: StoredWill
}

interface StoredWill extends Omit<Will, 'payload' | 'properties'> {
  payload: string
  properties: string | null
}

export function encodeSession(record: SessionRecord): Buffer {
  // Named one by one: callers pass objects that have more to them.
  const { clientId, username, proved = false, grants = NO_GRANTS, expirySeconds, disconnectedAt } = record
  const { subscriptions, will } = record
  const stored: StoredRecord = { clientId, username, expirySeconds, disconnectedAt, subscriptions }
  if (proved) stored.proved = true
  if (grants !== NO_GRANTS) stored.grants = grants
  if (will !== null) stored.will = encodeWill(will)
  return Buffer.from(JSON.stringify(stored))
}

/** @throws whatever JSON.parse or Buffer.from throw at bytes that are no record */
export function decodeSession(bytes: Buffer): SessionRecord {
  const { will, ...rest } = JSON.parse(bytes.toString()) as StoredRecord
  return { ...rest, will: will === undefined ? null : decodeWill(will) }
}

function encodeWill({ topic, payload, qos, retain, delaySeconds, expirySeconds, properties }: Will): StoredWill {
  const bytes = { payload: payload.toString('base64'), properties: properties?.toString('base64') ?? null }
  return { topic, qos, retain, delaySeconds, expirySeconds, ...bytes }
}

function decodeWill({ payload, properties, ...rest }: StoredWill): Will {
  const own = properties === null ? null : Buffer.from(properties, 'base64')
  return { ...rest, payload: Buffer.from(payload, 'base64'), properties: own }
}
