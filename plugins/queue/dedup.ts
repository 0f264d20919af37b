/**
 * Ids of messages that a queue took on within its window: the same one again is acknowledged, and not stored again. They
 * are kept in a log of their own, so that a restart forgets none; an id is written in one batch with its message. Of a long
 * one its sum is kept: a producer may send 64 KB.
 */

import { createHash } from 'node:crypto'
import { type Clock, Message, type MessageLog, type Timer } from '../../src/plugin.ts'

/** Read at once at the start. */
const READ = 1000

/** Ids with more characters are long. */
const LONG = 64

export interface DedupParts {
  log: MessageLog
  /** The name of the log. */
  name: string
  clock: Clock
  windowMs: number
  /** The last one is forgotten. */
  emptied(): void
}

interface Known {
  /** Where it is in the log. */
  readonly logId: number
  readonly at: number
}

export class Dedup {
  windowMs: number
  readonly #parts: DedupParts
  /** The oldest first. */
  readonly #known = new Map<string, Known>()
  #timer: Timer | null = null

  constructor(parts: DedupParts) {
    this.#parts = parts
    this.windowMs = parts.windowMs
  }

  get size(): number {
    return this.#known.size
  }

  /** Whether it was taken on within the window. */
  has(id: string): boolean {
    const known = this.#known.get(keyOf(id))
    return known !== undefined && known.at + this.windowMs > this.#parts.clock.now()
  }

  /** It is being taken on, in this very run. */
  add(id: string): void {
    const { log, name, clock } = this.#parts
    this.forget(id)
    const key = keyOf(id)
    const at = clock.now()
    const message = Message.of({ topic: '', payload: Buffer.from(key), receivedAt: at })
    const logId = log.append(name, { message, qos: 0, retain: false, identifiers: null })
    this.#known.set(key, { logId, at })
    this.#wake()
  }

  /** It was not taken on after all. */
  forget(id: string): void {
    const key = keyOf(id)
    const known = this.#known.get(key)
    if (known === undefined) return
    this.#known.delete(key)
    this.#parts.log.remove(this.#parts.name, known.logId)
  }

  /** Find what is in the store. */
  async restore(): Promise<void> {
    const { log, name } = this.#parts
    for (let from = 0; ; ) {
      const entries = await log.read(name, from, READ)
      for (const { id, message } of entries) {
        this.#known.set(keyOf(message.payload.toString()), { logId: id, at: message.receivedAt })
        from = id + 1
      }
      if (entries.length === 0) break
    }
    this.#wake()
  }

  clear(): void {
    this.#known.clear()
    this.#parts.log.clear(this.#parts.name)
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = null
  }

  #wake(): void {
    const [oldest] = this.#known.values()
    if (this.#timer !== null || oldest === undefined) return
    const { clock, emptied } = this.#parts
    this.#timer = clock.after(Math.max(0, oldest.at + this.windowMs - clock.now()), () => {
      this.#timer = null
      this.#prune()
      if (this.#known.size === 0) emptied()
      else this.#wake()
    })
  }

  #prune(): void {
    const { log, name, clock } = this.#parts
    const now = clock.now()
    for (const [id, { logId, at }] of this.#known) {
      if (at + this.windowMs > now) return
      this.#known.delete(id)
      log.remove(name, logId)
    }
  }
}

/** What is remembered of an id. No id has U+0000 in it [MQTT-1.5.4-2], so a sum is no other id. */
function keyOf(id: string): string {
  // Also when it is a sum already, from the store.
  return id.length <= LONG ? id : `\u0000${createHash('sha256').update(id).digest('base64')}`
}
