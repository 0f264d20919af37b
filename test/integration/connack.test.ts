/** What CONNACK of MQTT 5.0 says, and what it leaves to its defaults. */

import type { IConnectPacket } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { connectRaw, openRaw } from '../helpers/raw-client.ts'

async function connack(config: Parameters<typeof startBroker>[0], options: Partial<IConnectPacket> = {}) {
  const { port } = await startBroker(config)
  const { sessionPresent, reasonCode, properties } = (await connectRaw(port, { protocolVersion: 5, ...options }))
    .connack
  return { sessionPresent, reasonCode, properties }
}

describe('CONNACK', () => {
  it('says what the broker takes; QoS 2, retained messages, wildcards and identifiers go without saying', async () => {
    const { properties, ...rest } = await connack({})
    expect(rest).toEqual({ sessionPresent: false, reasonCode: 0 })
    expect(properties).toMatchObject({ maximumPacketSize: 10_485_760, receiveMaximum: 32_767, topicAliasMaximum: 10 })
    for (const name of ['maximumQoS', 'retainAvailable', 'wildcardSubscriptionAvailable', 'serverKeepAlive'] as const) {
      expect(properties?.[name]).toBeUndefined()
    }
    expect(properties?.subscriptionIdentifiersAvailable).toBeUndefined()
  })

  it('gives no response information, asked or not [MQTT-3.1.2-28]', async () => {
    for (const requestResponseInformation of [true, false]) {
      const { properties } = await connack({}, { properties: { requestResponseInformation } })
      expect(properties?.responseInformation).toBeUndefined()
    }
  })

  it('gives an identifier to a client without one, and to no other [MQTT-3.2.2-16]', async () => {
    const { properties } = await connack({}, { clientId: '' })
    expect(properties?.assignedClientIdentifier).toMatch(/^auto-/)
    expect((await connack({})).properties?.assignedClientIdentifier).toBeUndefined()
  })

  it('says what the session expiry became, where it is not what was asked for', async () => {
    const config = { session: { maxExpiry: '100s' } }
    const expiry = async (sessionExpiryInterval: number) =>
      (await connack(config, { properties: { sessionExpiryInterval } })).properties?.sessionExpiryInterval
    expect([
      await expiry(0),
      await expiry(99),
      await expiry(100),
      await expiry(101),
      await expiry(0xffff_ffff),
    ]).toEqual([undefined, undefined, undefined, 100, 100])
  })

  it('is two bytes on MQTT 3.1.1', async () => {
    const { port } = await startBroker()
    const client = await openRaw(port, 4)
    const bytes: Buffer[] = []
    client.socket.on('data', (chunk) => bytes.push(chunk))
    client.send({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clientId: 'c', clean: true, keepalive: 0 })
    await client.next('connack')
    expect(Buffer.concat(bytes)).toEqual(Buffer.from([0x20, 2, 0, 0]))
  })
})
