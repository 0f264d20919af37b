/** A broker that does what a test says with each message: loses it, doubles it, refuses it, or keeps it for a while. */

import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { generate, type IConnackPacket, type IPublishPacket, type Packet, parser } from 'mqtt-packet'
import { onTestFinished } from 'vitest'

export interface FakeBrokerOptions {
  /** Called for each PUBLISH, which counts from 1; `deliver` sends it to whoever subscribed to exactly its topic. */
  readonly onPublish?: (count: number, deliver: () => void, packet: IPublishPacket) => void
  readonly connack?: Partial<IConnackPacket>
  /** Return codes for a SUBSCRIBE. */
  readonly suback?: number
  /** Reason code of each PUBACK. */
  readonly puback?: number
  /** Called with each packet of a client, before it is served. */
  readonly onPacket?: (packet: Packet, client: Client) => void
}

export interface Client {
  readonly filters: Set<string>
  send(packet: Packet): void
  readonly socket: Socket
}

/** QoS 0 and 1, MQTT 3.1.1 and 5. Stopped when the test ends. */
export async function startFakeBroker(options: FakeBrokerOptions = {}): Promise<{ port: number }> {
  const { onPublish = (_count, deliver) => deliver() } = options
  const clients = new Set<Client>()
  let published = 0
  const publish = (packet: IPublishPacket): void => {
    const deliver = (): void => {
      for (const client of clients) if (client.filters.has(packet.topic)) client.send({ ...packet, messageId: 1 })
    }
    onPublish(++published, deliver, packet)
  }
  const server = createServer((socket) => {
    let protocolVersion = 4
    const send = (packet: Packet): void => void socket.write(generate(packet, { protocolVersion }))
    const client: Client = { filters: new Set(), send, socket }
    clients.add(client)
    const reader = parser()
    reader.on('packet', (packet: Packet) => {
      options.onPacket?.(packet, client)
      if (packet.cmd === 'connect') {
        protocolVersion = packet.protocolVersion ?? 4
        send({ cmd: 'connack', returnCode: 0, reasonCode: 0, sessionPresent: false, ...options.connack })
      } else if (packet.cmd === 'subscribe') {
        const granted = packet.subscriptions.map(({ topic, qos }) => {
          client.filters.add(topic)
          return options.suback ?? qos
        })
        send({ cmd: 'suback', messageId: packet.messageId!, granted })
      } else if (packet.cmd === 'publish') {
        if (packet.qos === 1) send({ cmd: 'puback', messageId: packet.messageId!, reasonCode: options.puback ?? 0 })
        publish(packet)
      } else if (packet.cmd === 'pingreq') send({ cmd: 'pingresp' })
      else if (packet.cmd === 'disconnect') socket.end()
    })
    socket.on('data', (bytes) => reader.parse(bytes))
    socket.on('error', () => {})
    socket.on('close', () => clients.delete(client))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    for (const { socket } of clients) socket.destroy()
  })
  return { port: (server.address() as AddressInfo).port }
}
