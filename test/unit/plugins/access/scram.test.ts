import { describe, expect, it } from 'vitest'
import { saslprep } from '../../../../plugins/access/saslprep.ts'
import { ScramUsers } from '../../../../plugins/access/scram.ts'
import { formatScramSecret, makeScramSecret, parseScramSecret } from '../../../../plugins/access/scram-secret.ts'
import type { AuthenticationStep } from '../../../../src/plugin.ts'
import { ScramClient } from '../../../helpers/scram.ts'

const SALT = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')

async function make() {
  const users = new Map([
    ['user', await makeScramSecret('pencil', 4_096, SALT)],
    ['a,b=c', await makeScramSecret('x', 5_000)],
  ])
  return new ScramUsers(users)
}

/** Go through it; the server's last message, or what it threw. */
async function run(server: ScramUsers, client: ScramClient): Promise<AuthenticationStep & { first: string }> {
  const exchange = server.begin()
  const first = (await exchange.next(Buffer.from(client.first))).data!.toString()
  return { first, ...(await exchange.next(Buffer.from(client.final(first)))) }
}

describe('SCRAM-SHA-256', () => {
  it('goes as the example of RFC 7677 does', async () => {
    const secret = await makeScramSecret('pencil', 4_096, SALT)
    const exchange = new ScramUsers(new Map([['user', secret]]), () => '%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0').begin()
    const first = await exchange.next(Buffer.from('n,,n=user,r=rOprNGfwEbeRWgbNEkqO'))
    expect(first.data!.toString()).toBe(
      'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    )
    const last = await exchange.next(
      Buffer.from(
        'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=',
      ),
    )
    expect(last.data!.toString()).toBe('v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
    expect(last.identity).toEqual({ username: 'user' })
  })

  it('proves each side to the other', async () => {
    const client = new ScramClient('user', 'pencil')
    const { data, identity } = await run(await make(), client)
    expect(client.trusts(data!.toString())).toBe(true)
    expect(identity).toEqual({ username: 'user' })
  })

  it('takes names with a comma, and a client that could bind channels or says for whom it acts', async () => {
    const server = await make()
    expect((await run(server, new ScramClient('a=2Cb=3Dc', 'x'))).identity).toEqual({ username: 'a,b=c' })
    for (const header of ['y,,', 'n,a=user,']) {
      expect((await run(server, new ScramClient('user', 'pencil', { header }))).identity).toEqual({ username: 'user' })
    }
  })

  it('waits for the first message of a client that sent none with CONNECT', async () => {
    const exchange = (await make()).begin()
    expect(await exchange.next(null)).toEqual({ data: null, identity: null })
    expect((await exchange.next(Buffer.from(new ScramClient('user', 'x').first))).data!.toString()).toContain('i=4096')
  })

  it('refuses a wrong password, and an unknown user no sooner and with the same words', async () => {
    const server = await make()
    const wrong = { code: 0x86, message: 'the user name or password is not right' }
    await expect(run(server, new ScramClient('user', 'pen'))).rejects.toMatchObject(wrong)
    await expect(run(server, new ScramClient('nobody', 'pencil'))).rejects.toMatchObject(wrong)
    const salts = []
    for (let i = 0; i < 2; i++) {
      const first = await server.begin().next(Buffer.from(new ScramClient('nobody', 'x', { nonce: 'n' }).first))
      salts.push(first.data!.toString().replace(/^r=[^,]+/, ''))
    }
    expect(salts[0]).toBe(salts[1])
    expect(salts[0]).toMatch(/^,s=[\w+/]{22}==,i=(4096|5000)$/)
  })

  it('cannot be replayed: the nonce is another each time', async () => {
    const server = await make()
    const client = new ScramClient('user', 'pencil', { nonce: 'same' })
    const exchange = server.begin()
    const overheard = client.final((await exchange.next(Buffer.from(client.first))).data!.toString())
    await exchange.next(Buffer.from(overheard))
    const again = server.begin()
    await again.next(Buffer.from(client.first))
    expect(() => again.next(Buffer.from(overheard))).toThrow(expect.objectContaining({ code: 0x87 }))
  })

  it.each([
    '',
    'user',
    'n,,n=user',
    'n,,n=user,r=',
    'n,,n=,r=x',
    'p=tls-unique,,n=user,r=x',
    'n,a=admin,n=user,r=x',
    'n,,m=x,n=user,r=x',
    'n,,n=us=er,r=x',
    'n,,n=us\u0007er,r=x',
    'x,,n=user,r=x',
  ])('refuses the first message %j', async (first) => {
    const exchange = (await make()).begin()
    expect(() => exchange.next(Buffer.from(first))).toThrow(expect.objectContaining({ code: 0x87 }))
  })

  it.each<[string, (final: string) => string]>([
    ['nothing', () => ''],
    ['no proof', (final) => final.replace(/,p=.*/, '')],
    ['another nonce', (final) => final.replace(/,r=./, ',r=!')],
    ['another header than at first', (final) => final.replace('c=biws', 'c=eSws')],
    ['a proof that is too short', (final) => final.replace(/,p=.*/, ',p=AAAA')],
    ['something before it', (final) => `x${final}`],
  ])('refuses a last message with %s', async (_what, change) => {
    const exchange = (await make()).begin()
    const client = new ScramClient('user', 'pencil')
    const final = client.final((await exchange.next(Buffer.from(client.first))).data!.toString())
    expect(() => exchange.next(Buffer.from(change(final)))).toThrow(expect.objectContaining({ name: 'Refusal' }))
  })
})

describe('a secret', () => {
  it('is read as it was written, and has a salt of its own', async () => {
    const [one, other] = [await makeScramSecret('x', 4_096), await makeScramSecret('x', 4_096)]
    expect(parseScramSecret(formatScramSecret(one))).toEqual(one)
    expect(one.salt).not.toEqual(other.salt)
  })

  it.each(['x', 'SCRAM-SHA-256$', 'SCRAM-SHA-256$100:AAAA$AAAA:AAAA', 'SCRAM-SHA-1$4096:AAAA$AAAA:AAAA', '$7$101$a$b'])(
    'is not read from %j',
    (text) => expect(parseScramSecret(text)).toBeNull(),
  )
})

it.each([
  ['I\u00adX', 'IX'],
  ['user', 'user'],
  ['USER', 'USER'],
  ['\u00aa', 'a'],
  ['\u2168', 'IX'],
  ['\u0007', null],
  ['a\u00a0b', 'a b'],
  ['', null],
  ['\u00ad', null],
])('SASLprep makes of %j %j, as RFC 4013 says', (text, prepared) => expect(saslprep(text)).toBe(prepared))
