/**
 * Every key in the database, in one place. U+0000 parts them: MQTT forbids it in topics and client identifiers. Ids are
 * written so that they sort as text. Every value but that of `version` ends with its checksum (checksum.ts).
 *
 *     version                             FORMAT_VERSION
 *     ids                                 every id given out so far is below this one
 *     sync                                empty; something to write where only an fsync is wanted
 *     session    · client id              a session's record (session-record.ts)
 *     received   · client id              packet identifiers of QoS 2 messages received, u16 each
 *     retained   · topic                  a record (record.ts)
 *     queue      · name · first id, count a pack of messages (log/pack-codec.ts)
 *     queue-marks · name · first id       what was removed from and marked in that pack
 *     outgoing, outgoing-marks            the same for the outgoing messages of sessions, named by client id
 *     damaged    · key                    what was found under that key and could not be read (damage.ts)
 */

/**
 * Layout of keys and values. A store of another version is refused, not guessed at. It changes with whatever an older or a
 * newer broker would misread; not with what both may pass over (session-record.ts says when that is so).
 *
 * What 2 has and 1 had not: checksums; packet identifiers and references in records; logs of queues whose names have a `#`
 * (docs/decisions/0008-queue-logs.md), which a broker of version 1 would take for queues.
 */
export const FORMAT_VERSION = 2

export const VERSION_KEY = 'version'
export const IDS_KEY = 'ids'
export const SYNC_KEY = 'sync'

export type Keyspace = 'session' | 'received' | 'retained' | LogSpace | `${LogSpace}-marks` | 'damaged'
export type LogSpace = 'queue' | 'outgoing'

/** What the keys of one log begin with. */
export interface LogKeys {
  packs: string
  marks: string
}

export interface KeyRange {
  gte: string
  lt: string
}

const SEPARATOR = '\u0000'
const AFTER_SEPARATOR = '\u0001'
// 2^53 - 1 has 11 digits to the base of 36; 36^3 - 1 is more than a pack ever holds.
const ID_DIGITS = 11
const COUNT_DIGITS = 3

export function key(space: Keyspace, name: string): string {
  return space + SEPARATOR + name
}

export function nameOf(space: Keyspace, key: string): string {
  return key.slice(space.length + 1)
}

/** All the keys that there are. */
export const ALL_KEYS: KeyRange = { gte: '', lt: '\u{10ffff}' }

/** All the keys of a space. */
export function rangeOf(space: Keyspace): KeyRange {
  return { gte: space + SEPARATOR, lt: space + AFTER_SEPARATOR }
}

/** All the keys of a log that begin with `prefix`, one of its LogKeys. */
export function rangeBehind(prefix: string): KeyRange {
  return { gte: prefix, lt: prefix.slice(0, -1) + AFTER_SEPARATOR }
}

export function logKeys(space: LogSpace, name: string): LogKeys {
  return { packs: key(space, name) + SEPARATOR, marks: key(`${space}-marks`, name) + SEPARATOR }
}

/** The count is in the key so that a store can be opened without reading its messages. */
export function packKey(keys: LogKeys, first: number, count: number): string {
  return keys.packs + digits(first, ID_DIGITS) + digits(count, COUNT_DIGITS)
}

export function marksKey(keys: LogKeys, first: number): string {
  return keys.marks + digits(first, ID_DIGITS)
}

/** Null when it is no key of a pack. */
export function parsePackKey(space: LogSpace, key: string): { name: string; first: number; count: number } | null {
  const idEnd = key.length - COUNT_DIGITS
  const idStart = idEnd - ID_DIGITS
  const first = Number.parseInt(key.slice(idStart, idEnd), 36)
  const count = Number.parseInt(key.slice(idEnd), 36)
  // Digits that are damaged may be read as another number, or as none.
  if (digits(first, ID_DIGITS) + digits(count, COUNT_DIGITS) !== key.slice(idStart)) return null
  if (key[idStart - 1] !== SEPARATOR || first === 0 || count === 0 || first > Number.MAX_SAFE_INTEGER) return null
  return { name: key.slice(space.length + 1, idStart - 1), first, count }
}

export function parseMarksKey(space: LogSpace, key: string): { name: string; first: number } {
  const idStart = key.length - ID_DIGITS
  const nameStart = `${space}-marks`.length + 1
  return { name: key.slice(nameStart, idStart - 1), first: Number.parseInt(key.slice(idStart), 36) }
}

function digits(value: number, width: number): string {
  return value.toString(36).padStart(width, '0')
}
