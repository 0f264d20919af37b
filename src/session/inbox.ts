/**
 * What comes from one client at QoS 2: each packet identifier is let through once, until the client releases it
 * [MQTT-4.3.3-10]. In a persistent session that holds across connections and across a restart of the broker.
 */

import type { SessionStore } from '../store/store.ts'

export class Inbox {
  /** Whether the session outlives its connection. */
  persistent = false
  /** Whether the client came back to the session: what it goes on with may have been settled before. */
  resumed = false
  readonly #clientId: string
  readonly #store: SessionStore
  /** Null as long as nothing came at QoS 2. */
  #received: Set<number> | null = null

  constructor(clientId: string, store: SessionStore, received: readonly number[]) {
    this.#clientId = clientId
    this.#store = store
    if (received.length > 0) this.#received = new Set(received)
  }

  has(packetId: number): boolean {
    return this.#received?.has(packetId) ?? false
  }

  /** The message with this identifier is being accepted: from now on it is a repetition. */
  add(packetId: number): void {
    this.#received ??= new Set()
    this.#received.add(packetId)
    this.#changed(this.#received)
  }

  /** PUBREL, or the message was refused: the identifier is free again. Returns whether it was in use. */
  release(packetId: number): boolean {
    const received = this.#received
    if (!received?.delete(packetId)) return false
    this.#changed(received)
    return true
  }

  #changed(received: ReadonlySet<number>): void {
    if (this.persistent) this.#store.received(this.#clientId, received)
  }
}
