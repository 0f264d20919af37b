/** Keep alive: the client's own, or the one that the broker puts in its place on MQTT 5.0. */

import { describe, expect, it } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { connectRaw } from '../helpers/raw-client.ts'

describe('Server Keep Alive', () => {
  it.each([
    ['none', 0, undefined],
    ['none', 65_535, undefined],
    ['60s', 30, undefined],
    ['60s', 60, undefined],
    ['60s', 61, 60],
    ['60s', 0, 60],
    ['65535s', 0, 65_535],
  ] as const)('with a maximum of %s and a keep alive of %i is %s', async (maxKeepAlive, keepalive, expected) => {
    const broker = await startBroker({ mqtt: { maxKeepAlive } })
    const events = listenTo(broker, 'client.connected')
    const { connack } = await connectRaw(broker.port, { protocolVersion: 5, keepalive })
    expect(connack.properties?.serverKeepAlive).toBe(expected)
    expect(events.of('client.connected')).toMatchObject([{ keepAliveSeconds: expected ?? keepalive }])
  })

  it('is what is enforced [MQTT-3.2.2-21], though the client asked for none; MQTT 3.1.1 has its own', async () => {
    const broker = await startBroker({ mqtt: { maxKeepAlive: '1s' } })
    const events = listenTo(broker, 'client.disconnected')
    const older = await connectRaw(broker.port, { protocolVersion: 4, keepalive: 0 })
    const silent = await connectRaw(broker.port, { protocolVersion: 5, clientId: 'silent', keepalive: 0 })
    expect(await silent.next('disconnect')).toMatchObject({ reasonCode: 0x8d })
    await silent.end()
    await older.settled()
    expect(events.of('client.disconnected')).toMatchObject([{ clientId: 'silent', reason: 'keep-alive' }])
  })

  it('is kept by the mqtt package', async () => {
    const broker = await startBroker({ mqtt: { maxKeepAlive: '1s' } })
    const events = listenTo(broker, 'client.disconnected')
    const client = await connectClient(broker.port, { protocolVersion: 5, keepalive: 60 })
    const silent = await connectRaw(broker.port, { protocolVersion: 5, clientId: 'silent', keepalive: 60 })
    await silent.end()
    await client.mqtt.publishAsync('t', 'still here', { qos: 1 })
    expect(events.of('client.disconnected')).toMatchObject([{ clientId: 'silent', reason: 'keep-alive' }])
  })
})
