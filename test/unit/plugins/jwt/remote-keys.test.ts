/** Keys from a web address: when they are fetched, and what goes on while they cannot be. */

import { describe, expect, it, vi } from 'vitest'
import { RemoteKeys } from '../../../../plugins/jwt/remote-keys.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'
import { json, startWebServer } from '../../../helpers/http-server.ts'
import { type KeyPair, keySetOf, makeKeys } from '../../../helpers/tokens.ts'
import { SILENT } from '../../kernel/support.ts'

const MAX_AGE = 600_000
const COOLDOWN = 30_000
const HOUR = 3_600_000

async function make() {
  const [a, b] = [await makeKeys('ES256'), await makeKeys('ES256')]
  const server = await startWebServer(json(await keySetOf({ a })))
  const clock = new FakeClock()
  const warnings: object[] = []
  const log = { ...SILENT, warn: (data: object) => warnings.push(data) }
  const keys = new RemoteKeys({
    url: `${server.url}?token=hunter2`,
    maxAgeMs: MAX_AGE,
    cooldownMs: COOLDOWN,
    clock,
    log,
  })
  const find = (kid: string) => keys.find({ alg: 'ES256', kid }, { payload: '', signature: '' })
  const serve = async (set: { [kid: string]: KeyPair }) => {
    server.answer = json(await keySetOf(set))
  }
  return { a, b, server, clock, find, serve, warnings }
}

describe('the keys', () => {
  it('are fetched when a token first needs them, once for many, and not again while they are fresh', async () => {
    const { server, find, clock } = await make()
    expect(server.bodies).toHaveLength(0)
    await Promise.all([find('a'), find('a'), find('a')])
    clock.advance(MAX_AGE)
    await find('a')
    expect(server.bodies).toHaveLength(1)
  })

  it('are fetched anew when they are old, and the old ones do meanwhile', async () => {
    const { server, find, clock } = await make()
    await find('a')
    clock.advance(MAX_AGE + 1)
    await Promise.all([find('a'), find('a')])
    await vi.waitFor(() => expect(server.bodies).toHaveLength(2))
  })

  it('are fetched anew for a token with another key, not more often than the cooldown lets', async () => {
    const { b, server, find, clock, serve } = await make()
    await find('a')
    await serve({ b })
    clock.advance(COOLDOWN)
    await Promise.all([find('b'), find('b')])
    expect(server.bodies).toHaveLength(2)
    for (let i = 0; i < 50; i++)
      await expect(find(`made up ${i}`)).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' })
    await expect(find('a')).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' }) // it was withdrawn
    expect(server.bodies).toHaveLength(2)
    clock.advance(COOLDOWN)
    await expect(find('made up')).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' })
    expect(server.bodies).toHaveLength(3)
  })

  it('go on for an hour while the server is down, and no longer; then nobody gets in until it is back', async () => {
    const { server, find, clock, warnings } = await make()
    await find('a')
    await server.close()
    clock.advance(MAX_AGE + HOUR)
    await find('a')
    await vi.waitFor(() => expect(warnings).toHaveLength(1))
    clock.advance(5_000)
    await expect(find('a')).rejects.toMatchObject({ code: 0x88 })
    await server.open()
    await expect(find('a')).rejects.toMatchObject({ code: 0x88 }) // tried a moment ago
    clock.advance(5_000)
    await find('a')
    expect(server.bodies).toHaveLength(2)
  })

  it.each([
    ['an error', json({ keys: [] }, 500)],
    ['no JSON', json('hunter2 {')],
    ['no key set', json({ hunter2: 1 })],
    ['an endless answer', (response) => void response.write('x'.repeat(2_000_000))],
    ['a way elsewhere', (response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
  ] as Array<[string, Parameters<typeof startWebServer>[0]]>)(
    'are none when the server says %s, which is logged without what it said',
    async (_what, answer) => {
      const { server, find, warnings } = await make()
      server.answer = answer
      await expect(find('a')).rejects.toMatchObject({ code: 0x88 })
      expect(warnings).toEqual([{ url: server.url, problem: expect.any(String) }])
      expect(JSON.stringify(warnings)).not.toContain('hunter2')
    },
  )
})
