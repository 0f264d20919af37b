/** What the tests of sessions share: a store in memory, and a connection whose packets can be read. */

import { type Packet, parser } from 'mqtt-packet'
import { onTestFinished } from 'vitest'
import { EventBus } from '../../../src/core/event-bus.ts'
import { EVENT_TYPES } from '../../../src/core/event-types.ts'
import { Message, type MessageFields } from '../../../src/core/message.ts'
import type { Carrier } from '../../../src/session/carrier.ts'
import type { Receiver, Settlement } from '../../../src/session/outbox-contract.ts'
import { openStore } from '../../../src/store/open.ts'
import type { Store } from '../../../src/store/store.ts'
import { OutgoingAliases } from '../../../src/wire/topic-aliases.ts'
import { WriteBuffer, WriteScheduler } from '../../../src/wire/write-buffer.ts'
import { SlowSink, turn } from '../../helpers/slow-sink.ts'

export async function memoryStore(): Promise<Store> {
  const store = await openStore({
    kind: 'memory',
    path: '',
    onFault: (error) => {
      throw error
    },
  })
  onTestFinished(() => store.close())
  return store
}

/** Events that write down what they hear. */
export function recordedEvents() {
  const heard: Array<{ type: string } & Record<string, unknown>> = []
  const events = new EventBus((error) => {
    throw error
  })
  events.listen(EVENT_TYPES, (type, data) => heard.push({ type, ...(data as object) }))
  return { events, heard, types: () => heard.map(({ type }) => type) }
}

export interface ConnectionOptions {
  version?: 3 | 4 | 5
  receiveMaximum?: number
  maximumPacketSize?: number
  /** Topic aliases that the client takes; none by default. */
  topicAliasMaximum?: number
  slow?: boolean
  maxSocketBuffer?: number
  /** What to wait for before looking: what a message waits for before it is sent. */
  settled?: () => Promise<void>
}

/** A connection as a session sees it, and the other end of it. */
export class Connection implements Carrier {
  readonly version: 3 | 4 | 5
  readonly receiveMaximum: number
  readonly maximumPacketSize: number
  readonly maxExplainedBytes = Infinity
  readonly aliases: OutgoingAliases | null
  readonly sink: SlowSink
  readonly out: WriteBuffer
  readonly #settled: () => Promise<void>

  constructor(options: ConnectionOptions = {}) {
    this.version = options.version ?? 5
    this.receiveMaximum = options.receiveMaximum ?? 65_535
    this.maximumPacketSize = options.maximumPacketSize ?? 0
    this.aliases = options.topicAliasMaximum === undefined ? null : new OutgoingAliases(options.topicAliasMaximum)
    this.#settled = options.settled ?? (() => Promise.resolve())
    this.sink = new SlowSink({ slow: options.slow ?? false })
    this.out = new WriteBuffer(this.sink, new WriteScheduler(), options.maxSocketBuffer ?? 1_000_000)
  }

  close(): void {}

  /** What has arrived since it was last asked, in short: `PUBLISH 1 hello`, `PUBREL 1`. */
  async received(): Promise<string[]> {
    return (await this.packets()).map(inShort)
  }

  async packets(): Promise<Packet[]> {
    await this.#settled()
    await turn()
    const packets: Packet[] = []
    const reader = parser({ protocolVersion: this.version })
    reader.on('packet', (packet) => packets.push(packet))
    reader.on('error', (error) => {
      throw error
    })
    for (const piece of this.sink.pieces.splice(0)) reader.parse(piece)
    return packets
  }
}

/** Name, then `DUP`, then packet identifier, then payload or a reason code other than 0: those that it has. */
function inShort(packet: Packet): string {
  const words: unknown[] = [packet.cmd.toUpperCase()]
  if (packet.cmd === 'publish' && packet.dup) words.push('DUP')
  if (packet.messageId !== undefined) words.push(packet.messageId)
  if (packet.cmd === 'publish') words.push(packet.payload.toString().slice(0, 20))
  if ('reasonCode' in packet && packet.reasonCode) words.push(`0x${packet.reasonCode.toString(16)}`)
  return words.join(' ')
}

export function message(payload: string | Buffer, fields: Partial<MessageFields> = {}): Message {
  return Message.of({ topic: 't', payload: Buffer.from(payload), ...fields })
}

/** A receiver that writes down how its messages ended: `token settlement`, and a reason code other than 0. */
export class Settlements implements Receiver<unknown> {
  readonly all: string[] = []

  settled(token: unknown, settlement: Settlement, reasonCode: number): void {
    this.all.push(`${token} ${settlement}${reasonCode === 0 ? '' : ` 0x${reasonCode.toString(16)}`}`)
  }
}
