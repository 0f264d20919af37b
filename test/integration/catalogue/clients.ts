/** Clients, their sessions and subscriptions, what they may do, and what readers of status miss. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startBroker, temporaryFolder } from '../../helpers/broker.ts'
import { connectClient } from '../../helpers/mqtt-client.ts'
import { openRaw } from '../../helpers/raw-client.ts'
import { until } from '../../helpers/until.ts'
import { onMqtt, publishPacket, type Scene } from './scene.ts'

const LASTING = { clean: false, properties: { sessionExpiryInterval: 3600 } }

export const CLIENT_SCENES: readonly Scene[] = [
  {
    name: 'a client comes, is taken over, comes back and goes',
    play: onMqtt(async ({ client, told }) => {
      await client('it', LASTING)
      const second = await client('it', LASTING)
      await told('session.taken-over')
      await second.mqtt.endAsync(false, { properties: { sessionExpiryInterval: 0 } })
      await told('session.expired')
    }),
    sees: {
      'access.authenticated': { clientId: 'it', username: null, by: expectText() },
      'client.connected': { clientId: 'it', protocolVersion: 5, cleanStart: false, sessionPresent: true },
      'session.created': { clientId: 'it', expirySeconds: 3600 },
      'session.resumed': { clientId: 'it', expirySeconds: 3600, waiting: 0 },
      'session.taken-over': { clientId: 'it' },
      'client.disconnected': { clientId: 'it', reason: 'takeover', reasonCode: 0x8e },
      'session.expired': { clientId: 'it' },
    },
  },
  {
    name: 'a client sends faster than it may',
    play: onMqtt(
      async ({ raw, told }) => {
        const client = await raw('fast')
        for (let i = 0; i < 50; i++) client.send(publishPacket('a', { qos: 0 }))
        await told('client.throttled')
      },
      { limits: { messageRate: 1 } },
    ),
    sees: { 'client.throttled': { clientId: 'fast', limit: 'messageRate' } },
  },
  {
    name: 'somebody guesses passwords',
    async play() {
      const passwordFile = join(await temporaryFolder(), 'passwords')
      await writeFile(passwordFile, '')
      const slowDown = { after: 0, initial: '1h', max: '1h' }
      const broker = await startBroker({ access: { passwordFile, slowDown } })
      await connectClient(broker.port, { username: 'it', password: 'guess' }).catch(() => {})
      return () => broker.status.recent()
    },
    sees: { 'access.slowed': { forMs: 3_600_000 } },
  },
  {
    name: 'a client says what is not MQTT',
    play: onMqtt(async ({ raw, port }) => {
      const client = await raw('it')
      client.sendBytes([0x36, 3, 0, 1, 0x61]) // a PUBLISH of QoS 3
      await client.end()
      const stranger = await openRaw(port)
      stranger.sendBytes(Buffer.from('GET / HTTP/1.1\r\n\r\n'))
      await stranger.end()
    }),
    sees: {
      'client.error': { clientId: 'it', reasonCode: 0x81 },
      'client.connecting-refused': { clientId: '', reason: 'protocol-error', reasonCode: 0x82 },
    },
  },
  {
    name: 'a client subscribes, and no longer',
    play: onMqtt(async ({ client, raw }) => {
      const { mqtt } = await client('it')
      await mqtt.subscribeAsync('news/#', { qos: 1 })
      await mqtt.unsubscribeAsync('news/#')
      const rude = await raw('rude')
      rude.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'a#', qos: 0 }] })
      await rude.next('suback')
    }),
    sees: {
      'subscription.added': { clientId: 'it', filter: 'news/#', qos: 1 },
      'subscription.removed': { clientId: 'it', filter: 'news/#' },
      'subscription.refused': { clientId: 'rude', filter: 'a#', reasonCode: 0x8f },
    },
  },
  {
    name: 'a client publishes what it may not',
    play: onMqtt(
      async ({ raw }) => {
        const client = await raw('it', { username: 'ada' })
        client.send(publishPacket('secret'))
        await client.next('puback')
      },
      { access: { rules: [{ allow: ['subscribe'], topics: ['$eventflow/#'] }] } },
    ),
    sees: {
      'access.denied': { clientId: 'it', username: 'ada', action: 'publish', topic: 'secret' },
      'message.refused': { clientId: 'it', topic: 'secret', reasonCode: 0x87 },
    },
  },
  {
    name: 'a reader of status does not read for a while',
    play: onMqtt(
      async ({ raw, broker, told }) => {
        const slow = await raw('slow')
        slow.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '$eventflow/#', qos: 0 }] })
        await slow.next('suback')
        slow.socket.pause()
        const session = () => broker.status.recent({ type: 'status.dropped' }).length
        let told256 = 0
        // What the kernel keeps for a socket that is not read is megabytes.
        const busy = setInterval(() => {
          for (let i = 0; i < 256; i++) broker.events.emit('queue.purged', { queue: 'x'.repeat(10_000), messages: i })
          told256++
        }, 5)
        await until('it is far behind', () => told256 * 256 * 20_000 > 100_000_000, 20_000)
        clearInterval(busy)
        slow.socket.resume()
        await until('it is told', () => session() > 0)
        await told('status.dropped')
        await until('it hears of it itself', () =>
          slow.received.some(
            (packet) => packet.cmd === 'publish' && packet.topic === '$eventflow/events/status/dropped',
          ),
        )
      },
      { session: { maxSocketBuffer: '64KB' } },
    ),
    sees: { 'status.dropped': { clientId: 'slow' } },
  },
]

/** Some text. */
function expectText(): unknown {
  return { asymmetricMatch: (value: unknown) => typeof value === 'string' && value !== '' }
}
