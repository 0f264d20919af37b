/**
 * What comes from one client at QoS 2: each packet identifier is let through once, until the client releases it
 * [MQTT-4.3.3-10]. In a persistent session that holds across connections and across a restart of the broker.
 */

import { IDENTIFIER_BYTES, SharedRoom } from '../core/shared-room.ts'
import type { SessionStore } from '../store/store.ts'

/** A few may always be under way, or nobody could publish at QoS 2 when there is no room. */
const MIN_BYTES = 16 * IDENTIFIER_BYTES

export class Inbox {
  /** Whether the session outlives its connection. */
  persistent = false
  /** Whether the client came back to the session: what it goes on with may have been settled before. */
  resumed = false
  readonly #clientId: string
  readonly #store: SessionStore
  readonly #room: SharedRoom
  /** Null as long as nothing came at QoS 2. */
  #received: Set<number> | null = null

  /** @param room memory that all sessions share; default: any */
  constructor(clientId: string, store: SessionStore, received: readonly number[], room = new SharedRoom()) {
    this.#clientId = clientId
    this.#store = store
    this.#room = room
    if (received.length > 0) this.#received = new Set(received)
    room.used += received.length * IDENTIFIER_BYTES
  }

  /** Whether one more identifier may be remembered. */
  get hasRoom(): boolean {
    const held = (this.#received?.size ?? 0) * IDENTIFIER_BYTES
    return held < MIN_BYTES || held < this.#room.share
  }

  /** The session is over. */
  end(): void {
    this.#room.used -= (this.#received?.size ?? 0) * IDENTIFIER_BYTES
    this.#received = null
  }

  has(packetId: number): boolean {
    return this.#received?.has(packetId) ?? false
  }

  /** The message with this identifier is being accepted: from now on it is a repetition. */
  add(packetId: number): void {
    this.#received ??= new Set()
    this.#received.add(packetId)
    this.#room.used += IDENTIFIER_BYTES
    this.#changed(this.#received)
  }

  /** PUBREL, or the message was refused: the identifier is free again. Returns whether it was in use. */
  release(packetId: number): boolean {
    const received = this.#received
    if (!received?.delete(packetId)) return false
    this.#room.used -= IDENTIFIER_BYTES
    this.#changed(received)
    return true
  }

  #changed(received: ReadonlySet<number>): void {
    if (this.persistent) this.#store.received(this.#clientId, received)
  }
}
