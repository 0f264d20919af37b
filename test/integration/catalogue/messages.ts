/** Messages of publish/subscribe. */

import { definePlugin, Refusal } from '../../../src/plugin.ts'
import { onMqtt, publishPacket, type Scene } from './scene.ts'

/** Takes a turn to say no. */
const later = definePlugin({
  name: 'later',
  setup: ({ namespace }) => {
    const accept = async () => {
      await new Promise((resolve) => setImmediate(resolve))
      throw new Refusal(0x97, 'no room')
    }
    namespace('later/', { accept, subscribe: () => undefined, unsubscribe() {} })
    return undefined
  },
})

export const MESSAGE_SCENES: readonly Scene[] = [
  {
    name: 'a message is published, delivered and acknowledged',
    play: onMqtt(async ({ client }) => {
      const subscriber = await client('subscriber')
      await subscriber.mqtt.subscribeAsync('a', { qos: 1 })
      const publisher = await client('publisher')
      await publisher.mqtt.publishAsync('a', 'four', { qos: 1 })
    }),
    sees: {
      'message.published': { clientId: 'publisher', topic: 'a', qos: 1, retain: false, bytes: 4 },
      'message.delivered': { clientId: 'subscriber', topic: 'a', qos: 1, bytes: 4 },
      'message.acknowledged': { clientId: 'subscriber', topic: 'a', qos: 1 },
    },
  },
  {
    name: 'a message is retained, cleared, or its time is up',
    play: onMqtt(async ({ client, told }) => {
      const { mqtt } = await client('publisher')
      await mqtt.publishAsync('state', 'on', { qos: 1, retain: true })
      await mqtt.publishAsync('state', '', { qos: 1, retain: true })
      await mqtt.publishAsync('brief', 'x', { qos: 1, retain: true, properties: { messageExpiryInterval: 1 } })
      await told('message.expired')
    }),
    sees: {
      'message.retained': { topic: 'state', bytes: 2 },
      'message.retained-cleared': { topic: 'state' },
      'message.expired': { clientId: '', topic: 'brief' },
    },
  },
  {
    name: 'a message is larger than its subscriber takes',
    play: onMqtt(async ({ client }) => {
      const subscriber = await client('small', { properties: { maximumPacketSize: 100 } })
      await subscriber.mqtt.subscribeAsync('a', { qos: 1 })
      const publisher = await client('publisher')
      await publisher.mqtt.publishAsync('a', 'x'.repeat(200), { qos: 1 })
    }),
    sees: { 'message.dropped': { clientId: 'small', topic: 'a', qos: 1, reason: 'packet-too-large' } },
  },
  {
    name: 'a client leaves a will',
    play: onMqtt(async ({ raw }) => {
      const mortal = await raw('mortal', {
        will: { topic: 'last', payload: Buffer.from('words'), qos: 0, retain: false },
      })
      mortal.socket.destroy()
    }),
    sees: { 'message.will-published': { clientId: 'mortal', topic: 'last' } },
  },
  {
    name: 'a message is refused after all, when its owner has thought about it',
    play: onMqtt(
      async ({ raw, told }) => {
        const client = await raw('it')
        client.send(publishPacket('later/x'))
        await client.next('puback')
        client.send(publishPacket('later/y', { qos: 0 }))
        await told('message.refused')
      },
      {},
      { plugins: [later] },
    ),
    sees: { 'message.refused': { clientId: 'it', topic: 'later/y', reasonCode: 0x97, reason: 'no room' } },
  },
]
