/** One connection on its way from a listener's door to the broker, layer by layer, with a time limit for all of it. */

import type { Socket } from 'node:net'
import type { Clock, Timer } from '../../core/clock.ts'
import { ReasonCode, type Refusal } from '../../core/reason-codes.ts'
import { TOO_LATE, type Unknown } from '../half-open.ts'
import type { Arrival, Layer, Passage } from './layer.ts'

export interface EntryParts {
  layers: readonly Layer[]
  timeoutMs: number
  clock: Clock
  /** The connection is through. */
  arrived: (arrival: Arrival) => void
  /** It is not let in: told once. */
  refused: (address: string, reason: string, reasonCode: number) => void
  /** It is through, or closed. */
  over: () => void
}

export class Entry implements Passage, Unknown {
  readonly openedAt: number
  readonly #socket: Socket
  readonly #parts: EntryParts
  readonly #deadline: Timer
  #layer = 0
  /** As it came to the present layer. */
  #arrival: Arrival | null = null
  #refused = false

  constructor(socket: Socket, parts: EntryParts) {
    this.#socket = socket
    this.#parts = parts
    this.openedAt = parts.clock.now()
    this.#deadline = parts.clock.after(parts.timeoutMs, () => this.giveUp(TOO_LATE))
    // Whoever serves the connection has an ear of its own; until then there is nobody to be told.
    socket.on('error', () => {})
    socket.once('close', this.#over)
  }

  next(arrival: Arrival): void {
    this.#arrival = arrival
    const layer = this.#parts.layers[this.#layer++]
    if (layer !== undefined) {
      layer.pass(arrival, this)
      return
    }
    this.#socket.removeListener('close', this.#over)
    this.#over()
    this.#parts.arrived(arrival)
  }

  giveUp({ message, code }: Refusal): void {
    this.#refuse(message, code)
    this.#socket.destroy()
  }

  refuse(reason: string, farewell?: string, reasonCode: number = ReasonCode.UnspecifiedError): void {
    this.#refuse(reason, reasonCode)
    if (farewell === undefined) this.#socket.destroy()
    else this.#arrival?.stream.end(farewell) // the deadline closes it, should the client not
  }

  #refuse(reason: string, code: number): void {
    if (this.#refused) return
    this.#refused = true
    this.#parts.refused(this.#arrival?.address ?? '', reason, code)
  }

  readonly #over = (): void => {
    this.#deadline.cancel()
    this.#parts.over()
  }
}
