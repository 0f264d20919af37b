/** A client that speaks MQTT packet by packet, for what no well-behaved client would send. */

import { connect as connectTcp, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { generate, type IConnackPacket, type IConnectPacket, type Packet, parser } from 'mqtt-packet'
import { onTestFinished } from 'vitest'

export class RawClient<Stream extends Duplex = Socket> {
  readonly socket: Stream
  readonly version: 3 | 4 | 5
  readonly received: Packet[] = []
  /** Every packet that was received, as the bytes that came: for what a parser hides. Nothing is taken out of it. */
  readonly frames: Buffer[] = []
  /** Whether the broker has closed the connection. */
  closed = false
  #waiting: Array<() => void> = []
  #unframed: Buffer = Buffer.alloc(0)

  constructor(socket: Stream, version: 3 | 4 | 5) {
    this.socket = socket
    this.version = version
    const reader = parser({ protocolVersion: version })
    reader.on('packet', (packet) => {
      this.received.push(packet)
      this.#wake()
    })
    socket.on('data', (bytes: Buffer) => {
      this.#frame(bytes)
      reader.parse(bytes)
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
      this.#wake()
    })
  }

  send(packet: Packet): void {
    this.socket.write(generate(packet, { protocolVersion: this.version }))
  }

  /** All of these in one write, so in one TCP segment where they fit. */
  sendTogether(...packets: Packet[]): void {
    this.socket.write(Buffer.concat(packets.map((packet) => generate(packet, { protocolVersion: this.version }))))
  }

  sendBytes(bytes: Uint8Array | readonly number[]): void {
    this.socket.write(Buffer.from(bytes))
  }

  /** The next packet of this kind, taken out of what was received. Rejects when the connection closes first. */
  async next<C extends Packet['cmd']>(cmd: C): Promise<Extract<Packet, { cmd: C }>> {
    for (;;) {
      const found = this.received.findIndex((packet) => packet.cmd === cmd)
      if (found >= 0) return this.received.splice(found, 1)[0] as Extract<Packet, { cmd: C }>
      if (this.closed) throw new Error(`the connection was closed before a ${cmd}`)
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }

  /** The next packet of any kind, taken out of what was received. Rejects when the connection closes first. */
  async nextOfAny(): Promise<Packet> {
    while (this.received.length === 0) {
      if (this.closed) throw new Error('the connection was closed before another packet')
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
    return this.received.shift()!
  }

  /** The packets of this type that were received, as bytes. */
  framesOf(type: number): Buffer[] {
    return this.frames.filter((frame) => frame[0]! >> 4 === type)
  }

  /** Resolves when the broker has closed the connection. */
  async end(): Promise<void> {
    while (!this.closed) await new Promise<void>((resolve) => this.#waiting.push(resolve))
  }

  /** Resolves once all that was sent before has been served: PINGREQ is answered in turn. */
  async settled(): Promise<void> {
    this.send({ cmd: 'pingreq' })
    await this.next('pingresp')
  }

  #frame(chunk: Buffer): void {
    this.#unframed = Buffer.concat([this.#unframed, chunk])
    for (;;) {
      let length = 0
      let at = 1
      do {
        if (at >= this.#unframed.length) return
        length |= (this.#unframed[at]! & 0x7f) << (7 * (at - 1))
      } while (this.#unframed[at++]! >= 0x80)
      if (this.#unframed.length < at + length) return
      this.frames.push(this.#unframed.subarray(0, at + length))
      this.#unframed = this.#unframed.subarray(at + length)
    }
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** A raw connection; nothing is sent yet. Closed when the test ends. */
export async function openRaw(port: number, version: 3 | 4 | 5 = 4): Promise<RawClient> {
  const socket = connectTcp(port, '127.0.0.1')
  socket.setNoDelay(true)
  await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
  onTestFinished(() => void socket.destroy())
  return new RawClient(socket, version)
}

/** A raw connection that has its CONNACK. */
export async function connectRaw(
  port: number,
  options: Partial<IConnectPacket> = {},
): Promise<RawClient & { connack: IConnackPacket }> {
  const client = await openRaw(port, (options.protocolVersion ?? 4) as 3 | 4 | 5)
  return Object.assign(client, { connack: await greet(client, options) })
}

/** Send CONNECT on a connection of any kind, and take the CONNACK. */
export async function greet(client: RawClient<Duplex>, options: Partial<IConnectPacket> = {}): Promise<IConnackPacket> {
  const { version } = client
  client.send({
    cmd: 'connect',
    protocolId: version === 3 ? 'MQIsdp' : 'MQTT',
    protocolVersion: version,
    clientId: `raw-${Math.random().toString(36).slice(2)}`,
    clean: true,
    keepalive: 0,
    ...options,
  })
  const connack = await client.next('connack')
  if ((connack.returnCode ?? connack.reasonCode ?? 0) !== 0) {
    throw new Error(`refused: ${JSON.stringify(connack)}`)
  }
  return connack
}
