/**
 * Acknowledgements in the order in which the messages came [MQTT-4.6.0-2], each once its message is safe.
 *
 * Messages of one turn share the store's promise, so they are kept in groups by promise: a message costs two numbers in
 * an array, not a promise of its own.
 */

import { type AcknowledgementType, PUBREC, writeAcknowledgement, writeRefusal } from '../wire/acknowledgement-writer.ts'
import type { WriteBuffer } from '../wire/write-buffer.ts'
import type { ReceiveWindow } from './receive-window.ts'

/** A message at QoS 0 is only counted: it is not acknowledged. */
export const NONE = 0

interface Group {
  promise: Promise<void> | null
  settled: boolean
  error: unknown
  types: Array<AcknowledgementType | typeof NONE>
  packetIds: number[]
  reasonCodes: number[]
  /** Why, in words, by position; null: there is nothing to explain. */
  reasons: Map<number, string> | null
}

export interface AcknowledgerParts {
  out: WriteBuffer
  version: number
  /** What the client may have under way. */
  window: ReceiveWindow
  /** The largest packet that may say why in words, in bytes; 0: none may. */
  maxExplainedBytes: number
  /** The message could not be kept, or was refused. */
  failed: (type: AcknowledgementType | typeof NONE, packetId: number, error: unknown) => void
  /** A QoS 2 message could not be kept, or was refused, and its client is gone: it may send it again, as a new one. */
  unkept: (packetId: number) => void
  /** Acknowledgements were written: there is room again. */
  progress: () => void
}

export class Acknowledger {
  readonly #parts: AcknowledgerParts
  #groups: Group[] = []
  #pending = 0
  #closed = false

  constructor(parts: AcknowledgerParts) {
    this.#parts = parts
  }

  /** Messages that wait to be safe. */
  get pending(): number {
    return this.#pending
  }

  /**
   * Acknowledge, with `reasonCode` and `reason`, when `outcome` resolves (undefined: as soon as those before are
   * acknowledged); tell `failed` when it is rejected.
   */
  add(
    type: AcknowledgementType | typeof NONE,
    packetId: number,
    outcome: Promise<void> | undefined,
    reasonCode: number,
    reason = '',
  ): void {
    if (outcome === undefined && this.#groups.length === 0) {
      if (type !== NONE) this.write(type, packetId, reasonCode, reason)
      return
    }
    let group = this.#groups.at(-1)
    if (group === undefined || group.promise !== (outcome ?? null)) {
      group = {
        promise: outcome ?? null,
        settled: outcome === undefined,
        error: null,
        types: [],
        packetIds: [],
        reasonCodes: [],
        reasons: null,
      }
      this.#groups.push(group)
      if (outcome !== undefined) this.#watch(group, outcome)
    }
    if (reason !== '') {
      group.reasons ??= new Map()
      group.reasons.set(group.types.length, reason)
    }
    group.types.push(type)
    group.packetIds.push(packetId)
    group.reasonCodes.push(reasonCode)
    this.#pending++
  }

  /** Acknowledge now, whatever waits. */
  write(type: AcknowledgementType, packetId: number, reasonCode: number, reason = ''): void {
    const { out, version, window, maxExplainedBytes } = this.#parts
    if (reason === '') writeAcknowledgement(out, version, type, packetId, reasonCode)
    else writeRefusal(out, type, packetId, reasonCode, reason, maxExplainedBytes)
    // At QoS 2 it is PUBCOMP that ends the exchange, or a PUBREC that says no [MQTT-3.3.4-7].
    if (type !== PUBREC || reasonCode >= 0x80) window.settled()
  }

  /** The connection is gone: nothing is written any more. What became of messages at QoS 2 matters to the session still. */
  close(): void {
    this.#closed = true
    for (const group of this.#groups) if (group.settled) this.#forget(group, 0)
    this.#groups = []
    this.#pending = 0
  }

  #watch(group: Group, outcome: Promise<void>): void {
    outcome.then(
      () => this.#settle(group, null),
      (error: unknown) => this.#settle(group, error ?? new Error('rejected')),
    )
  }

  #settle(group: Group, error: unknown): void {
    group.settled = true
    group.error = error
    if (this.#closed) this.#forget(group, 0)
    while (!this.#closed && this.#groups[0]?.settled) this.#write(this.#groups.shift()!)
    if (!this.#closed) this.#parts.progress()
  }

  #forget({ error, types, packetIds }: Group, from: number): void {
    if (error === null) return
    for (let i = from; i < types.length; i++) if (types[i] === PUBREC) this.#parts.unkept(packetIds[i]!)
  }

  #write(group: Group): void {
    const { failed } = this.#parts
    this.#pending -= group.types.length
    for (let i = 0; i < group.types.length; i++) {
      if (this.#closed) {
        this.#forget(group, i)
        return
      }
      const type = group.types[i]!
      const packetId = group.packetIds[i]!
      if (group.error !== null) failed(type, packetId, group.error)
      else if (type !== NONE) this.write(type, packetId, group.reasonCodes[i]!, group.reasons?.get(i))
    }
  }
}
