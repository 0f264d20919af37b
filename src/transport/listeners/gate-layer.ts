/**
 * The gate as a layer: behind what a proxy says, before TLS and WebSocket. Who is turned away there is closed: to tell them in
 * a CONNACK would take the handshakes first, and those are what the gate is there to spare.
 */

import type { Gate } from '../gate.ts'
import type { Arrival, Layer, Passage } from './layer.ts'

export class GateLayer implements Layer {
  readonly #gate: Gate
  readonly #isLast: boolean

  /** @param isLast whether MQTT comes next: then some are told */
  constructor(gate: Gate, isLast: boolean) {
    this.#gate = gate
    this.#isLast = isLast
  }

  pass(arrival: Arrival, passage: Passage): void {
    const { stream, address } = arrival
    const refusal = this.#gate.admit(stream, address)
    if (refusal === null || (this.#isLast && this.#gate.mayTell(stream))) passage.next({ ...arrival, refusal })
    else passage.refuse(refusal.message, undefined, refusal.code)
  }
}
