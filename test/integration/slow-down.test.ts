/** Guessing passwords, and who is asked on which listener. */

import { connect } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runPasswd } from '../../src/cli/commands/passwd.ts'
import { Eventflow } from '../../src/eventflow.ts'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { greet, openRaw, RawClient } from '../helpers/raw-client.ts'

async function passwordFile(): Promise<string> {
  const file = join(await temporaryFolder(), 'passwords')
  const terminal = { input: process.stdin, output: process.stderr }
  expect(await runPasswd(['-c', '-b', '-I', '10', file, 'alice', 'correct horse'], terminal)).toBe(0)
  return file
}

async function knock(port: number, username: string | null, password: string | null): Promise<number> {
  const client = await openRaw(port, 5)
  const credentials = { ...(username && { username }), ...(password && { password: Buffer.from(password) }) }
  const connect = { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId: '', clean: true } as const
  client.send({ ...connect, keepalive: 0, ...credentials })
  return (await client.next('connack')).reasonCode!
}

describe('guessing', () => {
  it('is not heard any more from its address, the right password neither, while those known there come in', async () => {
    const slowDown = { after: 3, initial: '1h', max: '1h' }
    const broker = await startBroker({ access: { passwordFile: await passwordFile(), slowDown } })
    const log = listenTo(broker, 'access.slowed', 'access.denied', 'client.connecting-refused')
    for (let i = 0; i < 4; i++) expect(await knock(broker.port, 'alice', `guess ${i}`)).toBe(0x86)
    expect(log.of('access.slowed')).toEqual([{ address: expect.stringContaining('127.0.0.1'), forMs: 3_600_000 }])
    expect(await knock(broker.port, 'alice', 'correct horse')).toBe(0x9f)
    expect(await knock(broker.port, 'bob', 'x')).toBe(0x9f)
    expect(log.of('access.denied')).toHaveLength(4)
    expect(log.of('client.connecting-refused').at(-1)).toMatchObject({
      reason: 'limit',
      message: 'too many failures from this address: try again in 3600 s',
    })
  })

  it('by others keeps nobody out who came in from there before', async () => {
    const slowDown = { after: 0, initial: '1h', max: '1h' }
    const { port } = await startBroker({ access: { passwordFile: await passwordFile(), slowDown } })
    expect(await knock(port, 'alice', 'correct horse')).toBe(0)
    expect(await knock(port, 'bob', 'guess')).toBe(0x86)
    expect(await knock(port, 'bob', 'guess')).toBe(0x9f)
    expect(await knock(port, 'alice', 'correct horse')).toBe(0)
  })

  it('on many connections at once is no way around', async () => {
    const slowDown = { after: 3, initial: '1h', max: '1h' }
    const { port } = await startBroker({ access: { passwordFile: await passwordFile(), slowDown } })
    const codes = await Promise.all(Array.from({ length: 100 }, (_, i) => knock(port, 'alice', `guess ${i}`)))
    expect(codes.filter((code) => code === 0x86).length).toBeLessThanOrEqual(3 + 32)
    expect(codes.filter((code) => code !== 0x86 && code !== 0x9f)).toEqual([])
  })

  it('is not what a client does that gives no password', async () => {
    const slowDown = { after: 0, initial: '1h', max: '1h' }
    const { port } = await startBroker({ access: { passwordFile: await passwordFile(), slowDown } })
    for (let i = 0; i < 3; i++) {
      expect(await knock(port, null, null)).toBe(0x87)
      expect(await knock(port, 'alice', null)).toBe(0x87)
    }
    expect(await knock(port, 'alice', 'correct horse')).toBe(0)
  })
})

describe('a listener', () => {
  it('asks those whom it names: anybody on the Unix socket, users with passwords on TCP', async () => {
    const path = join(await temporaryFolder(), 's')
    const broker = await startBroker({
      listeners: {
        tcp: { port: 0, authenticators: ['password'] },
        unix: { path, authenticators: ['password', 'anonymous'] },
      },
      access: { passwordFile: await passwordFile() },
    })
    const log = listenTo(broker, 'access.authenticated')
    expect(await knock(broker.port, null, null)).toBe(0x87)
    expect(await knock(broker.port, 'alice', 'correct horse')).toBe(0)
    const local = (options: object) => greet(new RawClient(connect(path), 5), { clientId: '', ...options })
    expect(await local({})).toMatchObject({ reasonCode: 0 })
    await expect(local({ username: 'alice', password: Buffer.from('x') })).rejects.toThrow('134')
    await expect(local({ username: 'mallory' })).rejects.toThrow('135')
    expect(log.of('access.authenticated').map(({ by, username }) => [by, username])).toEqual([
      ['password', 'alice'],
      ['anonymous', null],
    ])
  })

  it('that names nobody who is there keeps the broker from starting', async () => {
    const passwords = { passwordFile: await passwordFile() }
    const withNames = (authenticators: string[]) =>
      ({ listeners: { tcp: { port: 0, authenticators } }, store: { kind: 'memory' }, access: passwords }) as const
    await expect(new Eventflow({ config: withNames(['password', 'mine']) }).start()).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message:
        'listeners.tcp.authenticators: expected names out of certificate, password, anonymous, scram, found "mine"',
    })
    expect(() => new Eventflow({ config: withNames(['password', 'jwt']) })).toThrow(
      'listeners.tcp.authenticators[1]: expected another authenticator (jwt is not set), found "jwt"',
    )
  })
})
