/** What the contract suites need of an implementation, and small words that they share. */

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Message, type MessageFields } from '../../src/core/message.ts'
import type { LogEntry, MessageLog, Store, StoredMessage } from '../../src/store/store.ts'

export interface StoreHarness {
  /** Does what was written outlive `close()`? */
  persistent: boolean
  /** Open the store that is kept at `place`, a directory of the test's own. */
  open(place: string): Promise<Store>
}

/** A store for one test: opened as often as wanted, at the same place, and cleared away after. */
export class Place {
  readonly #harness: StoreHarness
  readonly path = mkdtempSync(join(tmpdir(), 'eventflow-store-'))
  #store: Store | null = null

  constructor(harness: StoreHarness) {
    this.#harness = harness
  }

  async open(): Promise<Store> {
    await this.#store?.close()
    this.#store = await this.#harness.open(this.path)
    return this.#store
  }

  async clear(): Promise<void> {
    await this.#store?.close()
    rmSync(this.path, { recursive: true, force: true })
  }
}

export function stored(text: string, fields: Partial<MessageFields> = {}): StoredMessage {
  const message = Message.of({ topic: 'queue/orders', payload: Buffer.from(text), ...fields })
  return { message, qos: 1, retain: false, identifiers: null }
}

export function appendAll(log: MessageLog, name: string, texts: readonly string[]): number[] {
  return texts.map((text) => log.append(name, stored(text)))
}

export async function readAll(log: MessageLog, name: string): Promise<LogEntry[]> {
  return log.read(name, 0, Number.MAX_SAFE_INTEGER)
}

export async function readTexts(log: MessageLog, name: string): Promise<string[]> {
  return (await readAll(log, name)).map(textOf)
}

export function textOf(entry: StoredMessage): string {
  return entry.message.payload.toString()
}

/** The end of this turn of the event loop, and a few more. */
export async function turns(count = 1): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve))
}
