/**
 * A desk: one client of Aedes, at which connections have their control packets decided, one visitor at a time.
 *
 * A client of Aedes takes 7 KB, twice what the rest of a connection does, and is needed only while something is being
 * decided. So connections do not keep one each. A handshake takes a new desk, for Aedes takes one CONNECT a client; a
 * SUBSCRIBE or UNSUBSCRIBE takes one that is free. Aedes knows desks by their numbers, never the clients.
 */

import { PacketCutter } from '../wire/packet-cutter.ts'
import { ControlStream } from './control-stream.ts'
import { connectForAedes } from './handshake.ts'

/** Who has something decided. */
export interface Visitor {
  /** Hook of Aedes: whether the client may connect, or why not. Never rejects. */
  admit(): Promise<Error | null>
  /** Hook of Aedes: whether the subscription at this position of the SUBSCRIBE under way is granted. Never rejects. */
  grant(position: number): Promise<boolean>
  /** Aedes has decided on CONNECT. */
  connack(accepted: boolean): void
  /** Aedes is done with the handshake. */
  ready(): void
  suback(): void
  unsuback(): void
  /** Aedes has closed the desk, not we; `error`: why, if it said so. */
  abandoned(error: Error | null): void
}

const CONNACK = 2
const SUBACK = 9
const UNSUBACK = 11

/** A SUBACK has a code for each filter, so it is never larger than what it answers; we limit that. */
const ANY_SIZE = 268_435_460

export class Desk {
  readonly stream: ControlStream
  visitor: Visitor | null
  readonly #number: number
  readonly #answers = new PacketCutter(ANY_SIZE)
  readonly #free: (desk: Desk) => void
  /** What Aedes is shown once it has this desk's CONNECT behind it. */
  #next: Buffer | null = null

  /** @param free takes the desk back when its visitor has left */
  constructor(number: number, visitor: Visitor, free: (desk: Desk) => void) {
    this.#number = number
    this.visitor = visitor
    this.#free = free
    this.stream = new ControlStream({
      written: (bytes) => this.#written(bytes),
      closed: (error) => this.visitor?.abandoned(error),
    })
  }

  /** Let Aedes know the desk; `next`: what to show it then, if this is not about a handshake. */
  open(next: Buffer | null): void {
    this.#next = next
    this.stream.push(connectForAedes(String(this.#number)))
  }

  show(visitor: Visitor, packet: Buffer): void {
    this.visitor = visitor
    this.stream.push(packet)
  }

  /** Aedes is done with CONNECT. */
  ready(): void {
    const next = this.#next
    this.#next = null
    if (next !== null) this.stream.push(next)
    else this.#leave()?.ready()
  }

  /** The visitor is gone before its matter was decided: the desk goes with it. */
  close(): void {
    this.visitor = null
    this.stream.destroy()
  }

  /** Aedes wrote an answer, or a piece of one. */
  #written(bytes: Buffer): void {
    this.#answers.push(bytes)
    while (this.#answers.next()) this.#answer(this.#answers.bytes, this.#answers.start)
  }

  #answer(bytes: Buffer, start: number): void {
    switch (bytes[start]! >> 4) {
      case CONNACK:
        if (this.#next === null) this.visitor?.connack(bytes[start + 3] === 0)
        break
      case SUBACK:
        this.#leave()?.suback()
        break
      case UNSUBACK:
        this.#leave()?.unsuback()
        break
    }
  }

  /** The matter is decided: the desk is free before the visitor hears of it, and may come back with the next. */
  #leave(): Visitor | null {
    const { visitor } = this
    this.visitor = null
    this.#free(this)
    return visitor
  }
}

/** Desks that stay open without a visitor: more than are ever in use, but for storms. */
const MAX_FREE = 32

export class Desks {
  readonly #handle: (stream: ControlStream) => void
  readonly #byStream = new WeakMap<object, Desk>()
  readonly #free: Desk[] = []
  #opened = 0

  /** @param handle gives a stream to Aedes */
  constructor(handle: (stream: ControlStream) => void) {
    this.#handle = handle
  }

  /** The desk that a client of Aedes is. */
  of(client: { conn: object }): Desk {
    return this.#byStream.get(client.conn)!
  }

  /** Have a CONNECT decided. The desk is the visitor's until it is `ready`. */
  handshake(visitor: Visitor): Desk {
    return this.#open(visitor, null)
  }

  /** Have a SUBSCRIBE or UNSUBSCRIBE decided. The desk is the visitor's until it has the answer. */
  exchange(visitor: Visitor, packet: Buffer): Desk {
    let desk = this.#free.pop()
    while (desk?.stream.destroyed) desk = this.#free.pop() // Aedes is stopping
    if (desk === undefined) return this.#open(visitor, packet)
    desk.show(visitor, packet)
    return desk
  }

  #open(visitor: Visitor, next: Buffer | null): Desk {
    const desk = new Desk(++this.#opened, visitor, (free) => this.#takeBack(free))
    this.#byStream.set(desk.stream, desk)
    this.#handle(desk.stream)
    desk.open(next)
    return desk
  }

  #takeBack(desk: Desk): void {
    if (this.#free.length < MAX_FREE) this.#free.push(desk)
    else setImmediate(() => desk.close()) // Aedes is still on the stack, about to say that it is ready
  }
}
