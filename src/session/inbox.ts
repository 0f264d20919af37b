/**
 * What comes from one client at QoS 2: each packet identifier is let through once, until the client releases it
 * [MQTT-4.3.3-10]. In a persistent session that holds across connections and across a restart of the broker.
 */

import type { SessionStore } from '../store/store.ts'

export class Inbox {
  /** Whether the session outlives its connection. */
  persistent = false
  readonly #clientId: string
  readonly #store: SessionStore
  readonly #received: Set<number>

  constructor(clientId: string, store: SessionStore, received: Iterable<number>) {
    this.#clientId = clientId
    this.#store = store
    this.#received = new Set(received)
  }

  has(packetId: number): boolean {
    return this.#received.has(packetId)
  }

  /** The message with this identifier is being accepted: from now on it is a repetition. */
  add(packetId: number): void {
    this.#received.add(packetId)
    this.#changed()
  }

  /** PUBREL, or the message was refused: the identifier is free again. Returns whether it was in use. */
  release(packetId: number): boolean {
    if (!this.#received.delete(packetId)) return false
    this.#changed()
    return true
  }

  #changed(): void {
    if (this.persistent) this.#store.received(this.#clientId, this.#received)
  }
}
