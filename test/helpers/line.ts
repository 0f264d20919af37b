/** A connection of a client to a broker in this process, packet by packet, that can be cut at any packet in either direction. */

import type { Duplex } from 'node:stream'
import { generate, type IConnackPacket, type Packet, parser } from 'mqtt-packet'
import type { PacketStream } from './exchanges.ts'

/** Counts the packets on all lines, and cuts one line once. */
export class Scissors {
  /** Packets that passed so far, or would have. */
  count = 0
  /** Cut the line of this packet, counted from 1, before or after it has passed; null: cut nothing. */
  cutAt: { packet: number; after: boolean } | null = null

  /** A packet is about to pass: what is to be done with its line. */
  next(): 'pass' | 'cut-before' | 'cut-after' {
    if (++this.count !== this.cutAt?.packet) return 'pass'
    return this.cutAt.after ? 'cut-after' : 'cut-before'
  }
}

export class Line implements PacketStream {
  readonly version: 4 | 5
  readonly #stream: Duplex
  readonly #scissors: Scissors
  readonly #received: Packet[] = []
  #cut = false
  /** The broker is dead: nothing that is sent reaches it. */
  #deaf = false
  #wake: () => void = () => {}

  constructor(stream: Duplex, version: 4 | 5, scissors: Scissors) {
    this.version = version
    this.#stream = stream
    this.#scissors = scissors
    const reader = parser({ protocolVersion: version })
    reader.on('packet', (packet) => this.#arrived(packet))
    stream.on('data', (bytes: Buffer) => reader.parse(bytes))
    stream.on('end', () => this.cut())
    stream.on('error', () => this.cut())
  }

  get open(): boolean {
    return !this.#cut
  }

  send(packet: Packet): void {
    if (this.#cut || this.#deaf) return
    const fate = this.#scissors.next()
    if (fate !== 'cut-before') this.#stream.write(generate(packet, { protocolVersion: this.version }))
    if (fate !== 'pass') this.cut()
  }

  async nextOfAny(): Promise<Packet> {
    while (this.#received.length === 0) {
      if (this.#cut) throw new Error('the connection was cut before another packet')
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    return this.#received.shift()!
  }

  /** The answer to CONNECT, which is the first packet. */
  async connack(): Promise<IConnackPacket> {
    const packet = await this.nextOfAny()
    if (packet.cmd !== 'connack') throw new Error(`${packet.cmd} before CONNACK`)
    return packet
  }

  /** Nothing more passes, in either direction. */
  cut(): void {
    if (this.#cut) return
    this.#cut = true
    this.#stream.end()
    this.#wake()
  }

  /** The broker was killed: what it has sent may still arrive. */
  deafen(): void {
    this.#deaf = true
  }

  #arrived(packet: Packet): void {
    if (this.#cut) return
    const fate = this.#scissors.next()
    if (fate !== 'cut-before') this.#received.push(packet)
    if (fate !== 'pass') this.cut()
    this.#wake()
  }
}
