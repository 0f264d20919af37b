/** The client's side of QoS 1 and 2, kept over connections: what makes "once" possible whatever is cut. */

import type { Packet } from 'mqtt-packet'

/** A connection that has its CONNACK: a RawClient, or anything that passes packets. */
export interface PacketStream {
  send(packet: Packet): void
  /** Rejects when the connection is closed and all packets were taken. */
  nextOfAny(): Promise<Packet>
}

interface Exchange {
  readonly topic: string
  readonly payload: string
  readonly qos: 1 | 2
  /** PUBREC was received: PUBREL is what is sent again. */
  released: boolean
}

export interface ProducerLimits {
  /** Messages that it sends in all. Default: any number. */
  most?: number
  /** Messages whose exchange is not complete. Default: 30. */
  window?: number
  /** Packet identifiers that it uses, in turn; no fewer than the window. Default: all. */
  identifiers?: number
}

/** A producer that keeps its side of the session: after a crash it goes on with every exchange where it was. */
export class Producer {
  /** Messages whose exchange is complete, in order of completion. */
  readonly done: string[] = []
  /** Every message that was sent, in order. */
  readonly sent: string[] = []
  /** Acknowledgements of any kind: what the moments of the crashes are counted in. */
  answers = 0
  readonly #topicOf: (number: number) => { topic: string; qos: 1 | 2 }
  readonly #most: number
  readonly #window: number
  readonly #identifiers: number
  readonly #open = new Map<number, Exchange>()
  #messageId = 0
  #finishing = false

  constructor(
    topicOf: (number: number) => { topic: string; qos: 1 | 2 },
    { most = Infinity, window = 30, identifiers = 65_535 }: ProducerLimits = {},
  ) {
    this.#topicOf = topicOf
    this.#most = most
    this.#window = window
    this.#identifiers = identifiers
  }

  /** Whether it has state that the broker's session must have too. */
  get unfinished(): boolean {
    return this.#open.size > 0
  }

  /** Until the connection breaks, or (when it was asked to finish) nothing is left to do. */
  async run(client: PacketStream): Promise<void> {
    for (const [messageId, exchange] of this.#open) this.#send(client, messageId, exchange, true)
    try {
      for (;;) {
        while (!this.#finishing && this.#open.size < this.#window && this.sent.length < this.#most) this.#begin(client)
        if (this.#open.size === 0) return
        await this.#answer(client)
      }
    } catch {
      // The connection was cut.
    }
  }

  /** Begin nothing new. */
  finish(): void {
    this.#finishing = true
  }

  #begin(client: PacketStream): void {
    do this.#messageId = (this.#messageId % this.#identifiers) + 1
    while (this.#open.has(this.#messageId))
    const payload = String(this.sent.length + 1)
    const exchange = { payload, released: false, ...this.#topicOf(this.sent.length + 1) }
    this.sent.push(payload)
    this.#open.set(this.#messageId, exchange)
    this.#send(client, this.#messageId, exchange, false)
  }

  #send(client: PacketStream, messageId: number, { topic, payload, qos, released }: Exchange, dup: boolean): void {
    if (released) client.send({ cmd: 'pubrel', messageId })
    else client.send({ cmd: 'publish', topic, payload, qos, messageId, dup, retain: false })
  }

  async #answer(client: PacketStream): Promise<void> {
    const { cmd, messageId = 0 } = await client.nextOfAny()
    const exchange = this.#open.get(messageId)
    this.answers++
    if (cmd === 'pubrec') {
      if (exchange !== undefined) exchange.released = true
      client.send({ cmd: 'pubrel', messageId })
    } else if (exchange !== undefined) {
      this.#open.delete(messageId)
      this.done.push(exchange.payload)
    }
  }
}

/** A subscriber that keeps its side of the session: what it has received at QoS 2 it knows until PUBREL. */
export class Subscriber {
  /** How often each message was taken. */
  readonly taken = new Map<string, number>()
  /** The broker has said so. */
  subscribed = false
  /** Identifier of the SUBSCRIBE that matters, if any: SUBACK of another is not heard, for the mind has changed since. */
  subscribing: number | null = null
  readonly #received = new Map<number, string>()

  /** Messages taken whose exchange is not complete: those that a broker that gives up the session may give to another. */
  get open(): string[] {
    return [...this.#received.values()]
  }

  /** The session is gone, and its identifiers with it. */
  forget(): void {
    this.subscribed = false
    this.#received.clear()
  }

  /** Until the connection breaks. */
  async run(client: PacketStream): Promise<void> {
    try {
      for (;;) this.#serve(client, await client.nextOfAny())
    } catch {
      // The connection was cut.
    }
  }

  #serve(client: PacketStream, packet: Packet): void {
    const { messageId = 0 } = packet
    if (packet.cmd === 'suback') {
      this.subscribed = this.subscribing === null || messageId === this.subscribing
    } else if (packet.cmd === 'pubrel') {
      this.#received.delete(messageId)
      client.send({ cmd: 'pubcomp', messageId })
    } else if (packet.cmd === 'publish') {
      const payload = packet.payload.toString()
      if (packet.qos < 2 || !this.#received.has(messageId)) {
        this.taken.set(payload, (this.taken.get(payload) ?? 0) + 1)
      }
      if (packet.qos === 2) this.#received.set(messageId, payload)
      client.send({ cmd: packet.qos === 2 ? 'pubrec' : 'puback', messageId })
    }
  }
}
