/**
 * How many QoS 1 and 2 messages a client has under way to us: the other side of its send quota (MQTT 5.0, section 4.9).
 *
 * A repetition is not counted, for on a new connection we cannot tell one that the client counts from one that it does
 * not. So a client that keeps to the rules never has fewer by its own count than by ours.
 */

import { ReasonCode, Refusal } from '../core/reason-codes.ts'

export class ReceiveWindow {
  readonly #maximum: number
  #open = 0

  /** @param maximum the Receive Maximum that the client was told; Infinity: it was told none, as before MQTT 5.0 */
  constructor(maximum: number) {
    this.#maximum = maximum
  }

  /** Whether the client must not send another before one is settled. */
  get full(): boolean {
    return this.#open >= this.#maximum
  }

  /** A PUBLISH came. @throws Refusal 0x93 when there was no room for it [MQTT-3.3.4-7] */
  opened(): void {
    if (this.full) {
      const text = `more than ${this.#maximum} messages at QoS 1 and 2 are not settled`
      throw new Refusal(ReasonCode.ReceiveMaximumExceeded, text)
    }
    this.#open++
  }

  /** PUBACK, PUBCOMP, or a PUBREC that says no was written. */
  settled(): void {
    if (this.#open > 0) this.#open--
  }
}
