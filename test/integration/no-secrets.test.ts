/** No secret in a log line, an event, an answer or a dump of the configuration, whatever way a client comes in or fails to. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect, it, onTestFinished } from 'vitest'
import { check } from '../../src/cli/commands/check.ts'
import { EVENT_TYPES } from '../../src/core/event-types.ts'
import { startBroker, startProcess, temporaryFolder } from '../helpers/broker.ts'
import { json, startWebServer } from '../helpers/http-server.ts'
import { passwordFile, scramFile } from '../helpers/passwords.ts'
import { connectRaw, openRaw } from '../helpers/raw-client.ts'
import { ScramClient } from '../helpers/scram.ts'
import { fileWith, forge, sign } from '../helpers/tokens.ts'

const RIGHT = 'Xright-password-Q1'
const WRONG = 'Xwrong-password-Q2'
const KEY = Buffer.from('Xsecret-key-of-tokens-with-enough-bytes-Q3')
const BEARER = 'Xbearer-token-Q4'
const SCRAM = 'Xscram-password-Q5'

/** Users by all ways, and the secrets that must not be seen. */
async function prepare() {
  const folder = await temporaryFolder()
  const files = { passwordFile: await passwordFile({ alice: RIGHT }), scramFile: await scramFile({ alice: SCRAM }) }
  const server = await startWebServer(json({ result: 'ignore' }))
  const tokens = {
    good: await sign(KEY, 'HS256', { aud: 'mqtt' }),
    expired: await sign(KEY, 'HS256', { aud: 'mqtt', exp: 1_000 }),
    forged: await sign(Buffer.alloc(32, 'x'), 'HS256', { aud: 'mqtt' }),
    unsigned: forge({ alg: 'none' }, { sub: 'alice' }),
    ofOthers: await sign(KEY, 'HS256', { aud: 'web' }),
    broken: await sign(KEY, 'HS256', { aud: 'mqtt', rules: [{ allow: 'everything' }] }),
  }
  const config = {
    access: {
      ...files,
      slowDown: { after: null },
      rules: [{ allow: 'publish' as const, topics: ['a'] }],
    },
    jwt: { algorithms: ['HS256' as const], secretFile: await fileWith(KEY), audience: 'mqtt' },
    httpAuth: {
      url: server.url,
      bearerTokenFile: await fileWith(BEARER),
      timeout: 300,
      cacheAllowed: 0,
      cacheDenied: 0,
      retryAfter: 1,
    },
  }
  return {
    folder,
    server,
    tokens,
    config,
    secrets: [RIGHT, WRONG, KEY.toString(), BEARER, SCRAM, ...Object.values(tokens)],
  }
}

type Prepared = Awaited<ReturnType<typeof prepare>>

/** What a client is answered. */
async function knock(port: number, version: 4 | 5, username: string, password: string): Promise<string> {
  const client = await openRaw(port, version)
  const connect = { cmd: 'connect', protocolId: 'MQTT', protocolVersion: version, clientId: 'c', clean: true } as const
  client.send({ ...connect, keepalive: 0, username, password: Buffer.from(password) })
  const connack = await client.next('connack')
  if ((connack.reasonCode ?? connack.returnCode) === 0) {
    client.send({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: 'no', qos: 0 }] })
    await client.next('suback')
    client.sendBytes([0x00, 0x00]) // what is no MQTT
    await client.end()
  }
  return inspect([connack, client.received], { depth: 9 })
}

async function scram(port: number, password: string): Promise<string> {
  const client = await openRaw(port, 5)
  const exchange = new ScramClient('alice', password)
  const properties = (data: string) => ({
    authenticationMethod: 'SCRAM-SHA-256',
    authenticationData: Buffer.from(data),
  })
  const connect = { cmd: 'connect', protocolId: 'MQTT', protocolVersion: 5, clientId: 's', clean: true } as const
  client.send({ ...connect, keepalive: 0, properties: properties(exchange.first) })
  const { properties: said } = await client.next('auth')
  const last = properties(exchange.final(said!.authenticationData!.toString()))
  client.send({ cmd: 'auth', reasonCode: 0x18, properties: last })
  return inspect(await client.next('connack'), { depth: 9 })
}

/** Through every way in, with success and with failure. Returns what the clients were told. */
async function exercise(port: number, { server, tokens }: Prepared): Promise<string> {
  const told: string[] = []
  for (const version of [4, 5] as const) {
    for (const password of [RIGHT, WRONG, ...Object.values(tokens)]) {
      told.push(await knock(port, version, 'alice', password), await knock(port, version, 'nobody', password))
    }
    for (const answer of [
      json({ result: 'allow', username: 'ada' }),
      json({ result: 'deny' }),
      json({ result: 'allow', expiresAt: 1 }),
      json({ result: WRONG, username: RIGHT }),
      ((response, body) => void response.end(body.slice(1))) as typeof server.answer,
      ((response, body) => void response.writeHead(500).end(body)) as typeof server.answer,
      ((response, body) =>
        void response.writeHead(307, { location: `/${encodeURIComponent(body)}` }).end()) as typeof server.answer,
      () => {},
    ]) {
      server.answer = answer
      told.push(await knock(port, version, 'ada', WRONG), await knock(port, version, 'ada', RIGHT))
    }
    await server.close()
    told.push(await knock(port, version, 'ada', RIGHT))
    await server.open()
    server.answer = json({ result: 'ignore' })
  }
  told.push(await scram(port, SCRAM), await scram(port, WRONG))
  const cut = await openRaw(port, 4)
  cut.sendBytes(Buffer.from(`\x10\x30\x00\x04MQTT\x04\xc6\x00\x00\x00\x01c\x00\x05alice\x00\x20${RIGHT}`, 'latin1'))
  cut.socket.end()
  await cut.end()
  return told.join('\n')
}

/** The secrets, or what they would look like, that stand in a text. */
function found(text: string, secrets: readonly string[]): string[] {
  const forms = (secret: string) => {
    const bytes = Buffer.from(secret)
    return [secret, bytes.toString('base64').replace(/=+$/, ''), bytes.toString('base64url'), bytes.toString('hex')]
  }
  return secrets.filter((secret) => forms(secret).some((form) => text.includes(form)))
}

it('nothing that the broker says, to whomever, has a secret in it', async () => {
  const prepared = await prepare()
  const said: string[] = []
  const write = (level: string) => (data: object, text: string) =>
    void said.push(`${level} ${text} ${inspect(data, { depth: 9, showHidden: true })}`)
  const logger = { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }
  const broker = await startBroker(prepared.config, { logger })
  onTestFinished(
    broker.events.listen(EVENT_TYPES, (type, data) => void said.push(`${type} ${inspect(data, { depth: 9 })}`)),
  )
  said.push(await exercise(broker.port, prepared))
  for (const type of ['access.authenticated', 'access.denied', 'client.connecting-refused']) {
    expect(said.some((line) => line.startsWith(type))).toBe(true)
  }
  for (const by of ['password', 'jwt', 'http', 'scram']) expect(said.join()).toContain(`by: '${by}'`)
  expect(found(said.join('\n'), prepared.secrets)).toEqual([])
  expect(found('c: XrIGHT', ['XrIGHT'])).toEqual(['XrIGHT'])
})

it('nor has what the program writes, at its most talkative', async () => {
  const prepared = await prepare()
  const { port, output, end } = await startProcess(prepared.folder, { ...prepared.config, log: { level: 'trace' } })
  await exercise(port, prepared)
  await connectRaw(port, { username: 'alice', password: Buffer.from(RIGHT) })
  await end('SIGTERM')
  expect(output()).toContain('gave no answer')
  expect(found(output(), prepared.secrets)).toEqual([])
})

it('nor has the configuration that eventflow check prints, or what it says of one that is wrong', async () => {
  const prepared = await prepare()
  const written: string[] = []
  const streams = [process.stdout, process.stderr]
  const originals = streams.map((stream) => stream.write)
  const keep = ((text: string) => written.push(text) > 0) as typeof process.stdout.write
  for (const stream of streams) stream.write = keep
  try {
    const file = join(prepared.folder, 'config.yaml')
    await writeFile(file, JSON.stringify(prepared.config))
    expect(await check.run(['--config', file])).toBe(0)
    const wrong = {
      ...prepared.config,
      jwt: { secretFile: null, jwksUrl: `https://a:${RIGHT}@b` },
      httpAuth: { url: WRONG },
    }
    await writeFile(file, JSON.stringify(wrong))
    expect(await check.run(['--config', file])).toBe(2)
  } finally {
    for (const [i, stream] of streams.entries()) stream.write = originals[i]!
  }
  expect(written.join()).toContain('passwordFile')
  expect(written.join()).toContain('jwt.jwksUrl')
  expect(found(written.join('\n'), prepared.secrets)).toEqual([])
})
