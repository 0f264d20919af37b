/** MQTT over WebSocket (section 6 of both standards). */

import { generate } from 'mqtt-packet'
import { describe, expect, it } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { openWebSocket } from '../helpers/web-socket.ts'
import { VERSIONS } from './support.ts'

async function start(): Promise<string> {
  const broker = await startBroker({ listeners: { tcp: { port: 0 }, ws: { port: 0 } } })
  return broker.listeners[1]!.url
}

describe.each(VERSIONS)('WebSocket, for MQTT $name', ({ version: protocolVersion }) => {
  const connect = generate({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion,
    clientId: 'c',
    clean: true,
    keepalive: 0,
  })
  const ping = generate({ cmd: 'pingreq' })

  it('[MQTT-6.0.0-1] [3.1.1: MQTT-6.0.0-1] a text frame ends the connection', async () => {
    const { ws, mqtt, closed } = await openWebSocket(await start())
    ws.send(connect)
    await mqtt.next('connack')
    ws.send('text')
    expect(await closed).toBe(1003)
  })

  it('[MQTT-6.0.0-2] [3.1.1: MQTT-6.0.0-2] packets may be in pieces, and many in a frame', async () => {
    const { ws, mqtt } = await openWebSocket(await start())
    for (const byte of connect) ws.send(Buffer.from([byte]))
    await mqtt.next('connack')
    ws.send(Buffer.concat([ping, ping, ping.subarray(0, 1)]))
    ws.send(ping.subarray(1), { fin: false })
    ws.send(ping, { fin: true })
    for (let i = 0; i < 4; i++) await mqtt.next('pingresp')
  })

  it('[MQTT-6.0.0-4] [3.1.1: MQTT-6.0.0-4] the subprotocol mqtt is selected among those that are offered', async () => {
    const url = await start()
    expect((await openWebSocket(url, ['other', 'mqtt'])).ws.protocol).toBe('mqtt')
    await expect(openWebSocket(url, ['other'])).rejects.toThrow('HTTP 400')
  })
})
