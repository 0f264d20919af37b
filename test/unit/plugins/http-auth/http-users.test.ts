/** The callout against a real server: its answers, what is remembered of them, and all that can go wrong with it. */

import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type HttpAuthOptions, httpAuth } from '../../../../plugins/http-auth/index.ts'
import type { Authenticator, Credentials, PluginContext } from '../../../../src/plugin.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'
import { json, startWebServer, type WebServer } from '../../../helpers/http-server.ts'
import { fileWith } from '../../../helpers/tokens.ts'

const ALLOW = json({ result: 'allow' })
const NEVER: WebServer['answer'] = () => {}

async function make(answer: WebServer['answer'], more: Partial<HttpAuthOptions> = {}) {
  const server = await startWebServer(answer)
  const clock = new FakeClock()
  const told: Array<{ data: object; text: string }> = []
  const write = (data: object, text: string) => void told.push({ data, text })
  const log = { debug: write, info: write, warn: write, error: write }
  const limits = { timeout: 5_000, cacheAllowed: 60_000, cacheDenied: 5_000, cacheSize: 100, maxConcurrent: 4 }
  const options = { url: server.url, bearerTokenFile: null, ...limits, retryAfter: 20, ...more }
  let http: Authenticator | undefined
  const context = { options, clock, log, authenticator: (own: Authenticator) => (http = own) }
  const instance = await httpAuth.setup(context as unknown as PluginContext<HttpAuthOptions | null>)
  onTestFinished(() => instance!.stop!())
  const enter = async (given: Partial<Credentials> = {}) => {
    const credentials = { clientId: 'c1', username: 'ada', password: Buffer.from('hunter2'), ...given }
    const peer = { address: '10.0.0.7:50412', listener: 'tcp', certificate: null }
    return http!.authenticate({ ...peer, ...credentials })
  }
  return { server, clock, enter, told }
}

const DOWN = { code: 0x88 }

describe('the server', () => {
  it('is told what the broker knows of a client', async () => {
    const { server, enter } = await make(ALLOW)
    const certificate = { commonName: 'd', subject: 'CN=d', san: [], fingerprint: 'AA' }
    expect(await enter({ certificate, listener: 'tls' })).toMatchObject({ username: 'ada' })
    const known = { clientId: 'c1', username: 'ada', password: 'hunter2', address: '10.0.0.7', listener: 'tls' }
    expect(JSON.parse(server.bodies[0]!)).toEqual({ ...known, certificate })
    expect(server.heads[0]).toMatchObject({ method: 'POST', headers: { 'content-type': 'application/json' } })
  })

  it('is told nothing where there is nothing, and of a password that is no text its bytes', async () => {
    const { server, enter } = await make(ALLOW)
    await enter({ username: null, password: null })
    await enter({ password: Buffer.from([0xff, 0xfe]) })
    expect(JSON.parse(server.bodies[0]!)).toMatchObject({ username: null, password: null, certificate: null })
    expect(JSON.parse(server.bodies[1]!)).toMatchObject({ password: null, passwordBase64: '//4=' })
  })

  it('is shown a token, where there is one', async () => {
    const { server, enter } = await make(ALLOW, { bearerTokenFile: await fileWith('abc.DEF-123\n') })
    await enter()
    expect(server.heads[0]!.headers.authorization).toBe('Bearer abc.DEF-123')
    const broken = make(ALLOW, { bearerTokenFile: await fileWith('no token\u0000') })
    await expect(broken).rejects.toMatchObject({
      code: 'ACCESS_FILE_INVALID',
      message: expect.not.stringContaining('no token\u0000'),
    })
  })

  it('denies, and leaves to the next', async () => {
    const { server, enter } = await make(json({ result: 'deny' }))
    expect(await enter()).toBe('deny')
    server.answer = json({ result: 'ignore' })
    expect(await enter({ clientId: 'c2' })).toBeNull()
  })

  it('is asked over connections that are kept', async () => {
    const { server, enter } = await make(ALLOW)
    for (let i = 0; i < 20; i++) await enter({ clientId: `c${i}` })
    expect(server.bodies).toHaveLength(20)
    expect(server.sockets).toBeLessThanOrEqual(2) // one that is not quite free yet may get company
  })

  it('is asked about a few clients at a time', async () => {
    const open: Array<() => void> = []
    const { server, enter } = await make((response) => void open.push(() => ALLOW(response, '')))
    const all = Array.from({ length: 10 }, (_, i) => enter({ clientId: `c${i}` }))
    for (let done = 0; done < 10; done++) {
      await vi.waitFor(() => expect(server.bodies).toHaveLength(Math.min(done + 4, 10)))
      open[done]!()
      await vi.waitFor(() => expect(server.bodies).toHaveLength(Math.min(done + 5, 10)))
    }
    expect(await Promise.all(all)).toHaveLength(10)
  })
})

describe('an answer', () => {
  it('is remembered for exactly that client, password and listener, for a time', async () => {
    const { server, enter, clock } = await make(ALLOW)
    for (let i = 0; i < 3; i++) await enter({ address: `10.0.0.7:${i}` })
    expect(server.bodies).toHaveLength(1)
    await enter({ password: Buffer.from('hunter3') })
    await enter({ username: 'bob' })
    await enter({ clientId: 'c2' })
    await enter({ listener: 'ws' })
    await enter({ address: '10.0.0.8:1' })
    expect(server.bodies).toHaveLength(6)
    clock.advance(59_999)
    await enter()
    expect(server.bodies).toHaveLength(6)
    clock.advance(1)
    await enter()
    expect(server.bodies).toHaveLength(7)
  })

  it('that denies is remembered for a shorter one', async () => {
    const { server, enter, clock } = await make(json({ result: 'deny' }))
    await enter()
    server.answer = ALLOW
    clock.advance(4_999)
    expect(await enter()).toBe('deny')
    clock.advance(1)
    expect(await enter()).toMatchObject({ username: 'ada' })
  })

  it('that ends is not remembered beyond its end, and one that has ended lets nobody in', async () => {
    const { server, enter, clock } = await make(ALLOW)
    const seconds = clock.now() / 1000
    server.answer = json({ result: 'allow', expiresAt: seconds + 10 })
    expect(await enter()).toMatchObject({ expiresAt: (seconds + 10) * 1000 })
    clock.advance(10_000)
    await expect(enter()).rejects.toMatchObject({ code: 0x87 })
    expect(server.bodies).toHaveLength(2)
  })

  it('is not remembered where that is not wanted', async () => {
    const { server, enter } = await make(ALLOW, { cacheAllowed: 0 })
    await enter()
    await enter()
    expect(server.bodies).toHaveLength(2)
  })
})

describe('nobody is let in', () => {
  it.each<[string, WebServer['answer']]>([
    ['an error', json({ result: 'allow' }, 500)],
    ['that it does not know us', json({ result: 'allow' }, 401)],
    ['something else', (response) => void response.end('<html>hunter2')],
    ['nothing', (response) => void response.end()],
    ['half of it', (response) => void response.write('{"result":"allow"', () => response.destroy())],
    ['an endless answer', (response) => void response.end(`{"result":"allow","x":"${'x'.repeat(300_000)}"}`)],
    ['a way elsewhere', (response) => void response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end()],
  ])('when the server says %s', async (_what, answer) => {
    const { enter, told } = await make(answer)
    await expect(enter()).rejects.toMatchObject(DOWN)
    expect(told).toHaveLength(1)
    expect(JSON.stringify(told)).not.toContain('hunter2')
  })

  it('when it does not answer in time', async () => {
    const { enter } = await make(NEVER, { timeout: 50 })
    await expect(enter()).rejects.toMatchObject(DOWN)
  })

  it('while it is down, and they are again when it is back', async () => {
    const { server, enter, told } = await make(ALLOW)
    await server.close()
    for (let i = 0; i < 10; i++) await expect(enter()).rejects.toMatchObject(DOWN)
    await server.open()
    await vi.waitFor(async () => expect(await enter()).toMatchObject({ username: 'ada' }))
    expect(told.map(({ text }) => text)).toContain('the server that knows the users answers again')
  })

  it('at once when it has failed again and again: it is left alone', async () => {
    const { server, enter } = await make(json({}, 503), { retryAfter: 600_000 })
    for (let i = 0; i < 50; i++) await expect(enter()).rejects.toMatchObject(DOWN)
    expect(server.bodies).toHaveLength(5)
  })

  it('when more than a thousand wait for its answer', async () => {
    const { enter } = await make(NEVER, { timeout: 300 })
    const all = Array.from({ length: 1_005 }, (_, i) => enter({ clientId: `c${i}` }))
    const codes = (await Promise.allSettled(all)).map((one) => (one as PromiseRejectedResult).reason.code)
    expect(codes.filter((code) => code === 0x89)).toHaveLength(1)
    expect(codes.filter((code) => code === 0x88)).toHaveLength(1_004)
  })
})
