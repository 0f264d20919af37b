/** A broker that asks a server who its clients are. */

import { expect, it, vi } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { json, startWebServer, type WebServer } from '../helpers/http-server.ts'
import { connectRaw, openRaw } from '../helpers/raw-client.ts'
import { fileWith, SECRET, sign } from '../helpers/tokens.ts'

async function start(answer: WebServer['answer'], more: object = {}) {
  const server = await startWebServer(answer)
  const httpAuth = { url: server.url, retryAfter: 20, cacheDenied: 0 }
  const rules = [{ allow: ['publish' as const, 'subscribe' as const], topics: ['#'] }]
  return { server, broker: await startBroker({ httpAuth, access: { rules }, ...more }) }
}

async function knock(port: number, password = 'hunter2', protocolVersion: 4 | 5 = 5): Promise<number> {
  const client = await openRaw(port, protocolVersion)
  const connect = { cmd: 'connect', protocolId: 'MQTT', protocolVersion, clientId: 'c', clean: true } as const
  client.send({ ...connect, keepalive: 0, username: 'ada', password: Buffer.from(password) })
  const { reasonCode, returnCode } = await client.next('connack')
  return (reasonCode ?? returnCode)!
}

it('lets in whom the server lets in, under the name that it says, and tells who decided', async () => {
  const { server, broker } = await start(json({ result: 'allow', username: 'device-7' }))
  const log = listenTo(broker, 'access.authenticated')
  await connectRaw(broker.port, { clientId: 'c1', username: 'ada', password: Buffer.from('x') })
  expect(log.of('access.authenticated')).toMatchObject([{ by: 'http', username: 'device-7' }])
  expect(JSON.parse(server.bodies[0]!)).toMatchObject({ clientId: 'c1', address: '127.0.0.1', listener: 'tcp' })
})

it('refuses whom the server denies, and whom it does not know when nobody else does', async () => {
  const { server, broker } = await start(json({ result: 'deny' }))
  expect([await knock(broker.port), await knock(broker.port, 'x', 4)]).toEqual([0x86, 4])
  server.answer = json({ result: 'ignore' })
  expect(await knock(broker.port)).toBe(0x86)
})

it('refuses everybody while the server is down, as unavailable, and lets them in when it is back', async () => {
  const { server, broker } = await start(json({ result: 'allow' }))
  await server.close()
  for (let i = 0; i < 15; i++) expect(await knock(broker.port)).toBe(0x88) // no guesses: nobody is slowed down
  expect(await knock(broker.port, 'hunter2', 4)).toBe(3)
  await server.open()
  await vi.waitFor(async () => expect(await knock(broker.port)).toBe(0))
})

it('ends a connection at the end that the server says', async () => {
  const { broker } = await start((response, body) =>
    json({ result: 'allow', expiresAt: Date.now() / 1000 + 0.5 })(response, body),
  )
  const client = await connectRaw(broker.port, { protocolVersion: 5, username: 'ada', password: Buffer.from('x') })
  expect(await client.next('disconnect')).toMatchObject({ reasonCode: 0x87 })
})

it('does not ask about those who have a token: the first who answers decides', async () => {
  const jwt = { algorithms: ['HS256' as const], secretFile: await fileWith(SECRET) }
  const { server, broker } = await start(json({ result: 'allow' }), { jwt })
  await connectRaw(broker.port, { username: 'alice', password: Buffer.from(await sign(SECRET, 'HS256')) })
  const forged = await sign(Buffer.alloc(32, 'x'), 'HS256', { sub: 'ada' })
  expect(await knock(broker.port, forged)).toBe(0x86)
  expect(server.bodies).toEqual([])
})
