/**
 * The ports of the store: what outlives the process. Whoever keeps data elsewhere implements these and passes the
 * contract suite in test/contract.
 *
 * Writing is a plain call that returns at once; `durable()` tells when it is safe. All that is written in one
 * synchronous run of code is in one batch, so it is on disk whole or not at all: a message and the mark that its QoS 2
 * packet was received; a dead letter and the removal of its original.
 */

import type { Grants } from '../core/grants.ts'
import type { Histogram } from '../core/histogram.ts'
import type { Message, QoS } from '../core/message.ts'
import type { Will } from '../core/will.ts'

export interface Store {
  /** What kind of store it is, for people: 'level' or 'memory'. */
  readonly kind: string
  readonly sessions: SessionStore
  readonly retained: RetainedStore
  /** The messages of queues, one log a queue. */
  readonly queues: MessageLog
  /** Why nothing can be written now, for people and for a check whether the broker is ready; null when all is well. */
  readonly fault: Error | null
  /**
   * Whether it takes more messages: not while it cannot write and as much waits in memory as may. What is written all the
   * same is kept, so ask before a message is accepted, not before one is moved.
   */
  readonly accepting: boolean
  /** How long it took, in seconds, until what somebody waited for was on disk: a number for each batch, retries included. */
  readonly commitTimes: Histogram
  /**
   * Resolves when all that was written before this call is on disk (fsync). That may take long: a disk that fails is
   * tried again and again. Rejects with EventflowError STORE_FAILED only when the store was closed and the last attempt
   * failed. Calls in one turn share one promise, and many turns share one fsync.
   */
  durable(): Promise<void>
  /**
   * Write a copy of everything to a folder, from which `eventflow restore` makes a store: all that was written before this
   * call, and perhaps more, as it was at one moment. Reading and writing go on meanwhile. One at a time. Left out by a store
   * that has its own way.
   * @throws EventflowError BACKUP_REFUSED when the folder is not empty; BACKUP_FAILED when it cannot be written, or the
   * store was closed: then nothing is left of it
   */
  backup?(options: BackupOptions): Promise<BackupResult>
  /** Write what is waiting, and close; try once more if the disk failed before. Safe to call twice. */
  close(): Promise<void>
}

export interface BackupOptions {
  /** The folder; it must not exist, or be empty. */
  path: string
  /** Told now and then how far it is. */
  onProgress?: (progress: BackupResult) => void
}

export interface BackupResult {
  records: number
  /** Of keys and values, before they are compressed. */
  bytes: number
  /** Records whose checksums are wrong. They are copied as they are, and set aside when the copy is opened. */
  damaged: number
  /** The keys of the first of those, for people. */
  damagedKeys: readonly string[]
}

/** A message as it waits for one receiver. */
export interface StoredMessage {
  message: Message
  /** The QoS to deliver at. */
  qos: QoS
  /** The retain flag to deliver with. */
  retain: boolean
  /** Subscription identifiers to deliver with; null when there are none. */
  identifiers: readonly number[] | null
  /** The filter of the shared subscription that it is for, `$share/<group>/<filter>`; left out when it is for none. */
  share?: string
  /** The packet identifier that its publisher knows it by, to be kept with it (`Message.packetId`); left out for 0. */
  packetId?: number
  /**
   * How the owner of the topic finds the message, which it keeps itself (1 to 2^53 - 1): this entry only says that the receiver
   * has it, and its payload and properties are empty. Left out when the message is here.
   */
  reference?: number
}

export interface LogEntry extends StoredMessage {
  /** Position in the log; ascending, never used twice, up to 2^53 - 1. */
  id: number
  /** What `mark()` last said of it; 0 at first. */
  mark: number
}

export interface LogSummary {
  name: string
  /** How many entries it holds. */
  count: number
  /** The id of the first entry; entries are read from here. */
  firstId: number
  /** The id that the next append will get. */
  nextId: number
}

/** Named logs of messages: appended at the end, read in order, removed one by one from anywhere. */
export interface MessageLog {
  /** Every log that holds an entry. Known since the store was opened. */
  list(): LogSummary[]
  /** Append to the log `name` (any string without U+0000) and return the entry's id. Copies what it needs. */
  append(name: string, entry: StoredMessage): number
  /** Remove an entry. Removing one that is gone does nothing. */
  remove(name: string, id: number): void
  /** Remove every entry with an id from `fromId` up to, and without, `toId`; at the cost of packs, not of entries. */
  removeRange(name: string, fromId: number, toId: number): void
  /**
   * Keep a small number (0 to 2^32 - 1) with an entry: its deliveries, its packet identifier. Marking an entry that is
   * gone does nothing.
   */
  mark(name: string, id: number, mark: number): void
  /**
   * Entries with ids from `fromId` on, in order, at most `limit`; written ones and ones still to be written alike,
   * as they were when the call was made or later.
   * @param lost told the mark of each entry that cannot be read, and is removed
   */
  read(name: string, fromId: number, limit: number, lost?: (mark: number) => void): Promise<LogEntry[]>
  /** Remove every entry of a log. */
  clear(name: string): void
}

/** What is kept of a session besides its messages. */
export interface SessionRecord {
  clientId: string
  username: string | null
  /** Whether the user had proved the name; left out: no. */
  proved?: boolean
  /** Roles and rules that the user brought along; left out: none. */
  grants?: Grants
  /** Seconds that the session outlives its connection; 0xffffffff: for ever; 0: kept for its will, or until it is ended. */
  expirySeconds: number
  /** When its connection ended, milliseconds since the epoch; 0 while it is connected. */
  disconnectedAt: number
  subscriptions: SubscriptionRecord[]
  /** The will that its connection left, and that is not published yet; null: there is none. */
  will: Will | null
}

export interface SubscriptionRecord {
  filter: string
  qos: QoS
  noLocal: boolean
  retainAsPublished: boolean
  retainHandling: 0 | 1 | 2
  /** MQTT 5.0 subscription identifier; 0: none. */
  identifier: number
}

/** A session as it was found when the store was opened. */
export interface StoredSession extends SessionRecord {
  /** Packet identifiers of QoS 2 messages received from the client and not yet released. */
  received: number[]
}

export interface SessionStore {
  /** Every session in the store. */
  load(): Promise<StoredSession[]>
  /**
   * Write a session's record, over the old one. The store reads it when it closes the batch, so a SUBSCRIBE of a thousand
   * filters is one write of a thousand, not a thousand writes.
   */
  put(record: SessionRecord): void
  /** Forget a session: record, received identifiers and outgoing messages. */
  remove(clientId: string): void
  /**
   * The set of QoS 2 identifiers received and not yet released has changed. The store reads the set when it closes the
   * batch, so a hundred changes in one turn are one write.
   */
  received(clientId: string, identifiers: ReadonlySet<number>): void
  /** Messages for the client, one log a session, named by the client identifier. */
  readonly outgoing: MessageLog
}

export interface RetainedStore {
  /** Every retained message. */
  load(): AsyncIterable<Message>
  /** Keep `message` for its topic, over the old one. */
  put(message: Message): void
  /** Forget the topic's retained message, if there is one. */
  remove(topic: string): void
}
