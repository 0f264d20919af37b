/** MQTT over TLS, with the clients that people use: certificates of both sides, and files that change. */

import { X509Certificate } from 'node:crypto'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Eventflow } from '../../src/eventflow.ts'
import { startBroker } from '../helpers/broker.ts'
import { issue } from '../helpers/certificates.ts'
import { listenTo } from '../helpers/events.ts'
import { describeWithMosquitto, pub } from '../helpers/mosquitto.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { type TlsFiles, tlsFiles } from '../helpers/tls.ts'
import { until } from '../helpers/until.ts'

const ALL = { rules: [{ allow: ['publish' as const, 'subscribe' as const], topics: ['#'] }] }

async function start(
  options: { clientCertificate?: 'none' | 'request' | 'require'; minVersion?: 'TLSv1.3' } = {},
  certificateUser: 'none' | 'cn' | 'san' = 'none',
  mqtt = {},
) {
  const files = await tlsFiles()
  const tls = { ...files.options, ...options }
  const broker = await startBroker({
    listeners: { tcp: { port: 0 }, tls },
    access: certificateUser === 'none' ? {} : { certificateUser, ...ALL },
    mqtt,
  })
  const [, { port }] = broker.listeners as [unknown, { port: number }]
  const connect = (more = {}) => connectClient(port, { protocol: 'mqtts', ca: files.authority.cert, ...more })
  return { broker, files, tlsPort: port, connect }
}

/** A certificate of a client, as options of the mqtt package. */
function clientOf({ authority }: TlsFiles, wanted: Omit<Parameters<typeof issue>[0], 'by'>) {
  const { cert, key } = issue({ ...wanted, by: authority })
  return { cert, key }
}

async function handshake(port: number, ca: string, more = {}): Promise<TLSSocket> {
  const socket = connectTls({ port, host: '127.0.0.1', ca, ...more })
  onTestFinished(() => void socket.destroy())
  await new Promise<void>((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject))
  socket.on('error', () => {})
  return socket
}

describe('a client on TLS', () => {
  it('is served as on TCP, large messages too', async () => {
    const { connect, broker } = await start()
    const events = listenTo(broker, 'client.connected')
    const client = await connect({ clientId: 'secure' })
    await client.mqtt.subscribeAsync('a/#', { qos: 2 })
    await client.mqtt.publishAsync('a/b', 'x'.repeat(1_000_000), { qos: 2 })
    expect((await client.messages(1))[0]).toHaveLength(1_000_000)
    expect(events.of('client.connected')[0]!.address).toMatch(/^127\.0\.0\.1:\d+$/)
  })

  it('that knows another authority does not connect', async () => {
    const { connect } = await start()
    await expect(connect({ ca: issue({ cn: 'another' }).cert })).rejects.toThrow()
  })

  it('that speaks no TLS is turned away, and others are served', async () => {
    const { broker, tlsPort, connect } = await start()
    const events = listenTo(broker, 'client.connecting-refused')
    const socket = connectTcp(tlsPort, '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => {})
    socket.write('GET / HTTP/1.1\r\n\r\n')
    await until('it is refused', () => events.all.length > 0)
    expect(events.of('client.connecting-refused')[0]!.message).toMatch(/^the TLS handshake failed/)
    await connect()
  })

  it('that does not go on with its handshake is closed when its time is up', async () => {
    const { broker, tlsPort } = await start({}, 'none', { connectTimeout: '200ms' })
    const events = listenTo(broker, 'client.connecting-refused')
    const socket = connectTcp(tlsPort, '127.0.0.1')
    socket.on('error', () => {})
    await new Promise((resolve) => socket.once('close', resolve))
    await events.find('client.connecting-refused', { reason: 'timeout', message: 'the handshake took too long' })
  })

  it('that speaks too old a version is turned away', async () => {
    const { files, tlsPort } = await start({ minVersion: 'TLSv1.3' })
    await expect(handshake(tlsPort, files.authority.cert, { maxVersion: 'TLSv1.2' })).rejects.toThrow()
  })
})

describe('a client certificate', () => {
  it.each([
    ['cn', 'device-7'],
    ['san', 'seven.example'],
  ] as const)('names the user by its %s, whatever name the client gives', async (field, username) => {
    const { broker, files, connect } = await start({ clientCertificate: 'require' }, field)
    const events = listenTo(broker, 'client.connected', 'access.authenticated')
    await connect({ ...clientOf(files, { cn: 'device-7', san: ['seven.example'] }), username: 'root', password: 'x' })
    expect(events.of('client.connected')).toMatchObject([{ username }])
    expect(events.of('access.authenticated')).toMatchObject([{ username, by: 'certificate' }])
  })

  it('with two common names names nobody', async () => {
    const { files, connect } = await start({ clientCertificate: 'require' }, 'cn')
    await expect(connect(clientOf(files, { cn: ['device-7', 'root'] }))).rejects.toThrow(/Not authorized/)
  })

  it.each([
    ['is missing', () => ({})],
    ['has expired', (files: TlsFiles) => clientOf(files, { cn: 'x', expired: true })],
    ['was signed by nobody', () => issue({ cn: 'x' })],
  ])('that %s keeps its client out where one is required', async (_what, bring) => {
    const { broker, files, connect } = await start({ clientCertificate: 'require' })
    const events = listenTo(broker, 'client.connecting-refused')
    const { cert, key } = bring(files) as { cert?: string; key?: string }
    await expect(connect(cert === undefined ? {} : { cert, key })).rejects.toThrow()
    await until('it is told of', () => events.all.length > 0)
    expect(events.of('client.connecting-refused')[0]!.message).toMatch(/client certificate/)
  })

  it('may be left out where one is only requested', async () => {
    const { connect } = await start({ clientCertificate: 'request' })
    await connect()
  })
})

describe('files that change', () => {
  it('are in force for new clients, and those who are there stay', async () => {
    const { broker, files, tlsPort, connect } = await start()
    const client = await connect()
    const events = listenTo(broker, 'client.disconnected', 'config.reloaded')
    const renewed = await files.renew()
    await broker.reload()
    const socket = await handshake(tlsPort, files.authority.cert)
    const shown = socket.getPeerX509Certificate()!.fingerprint256
    expect(shown).toBe(new X509Certificate(renewed.cert).fingerprint256)
    await client.mqtt.publishAsync('still', 'here', { qos: 1 })
    expect(events.of('client.disconnected')).toEqual([])
    expect(events.of('config.reloaded')[0]).toEqual({ what: 'listeners.tls' })
  })

  it('are noticed without being asked to', async () => {
    const { broker, files } = await start()
    const events = listenTo(broker, 'config.reloaded')
    await files.renew()
    await events.find('config.reloaded', { what: 'listeners.tls' })
  })

  it('and are broken are refused with their name, and the old ones stay', async () => {
    const { broker, files, connect } = await start()
    const events = listenTo(broker, 'config.rejected')
    await files.write('cert.pem', 'nothing of the kind')
    await broker.reload()
    const [{ what, message }] = events.of('config.rejected') as [{ what: string; message: string }]
    expect([what, message]).toEqual([
      'listeners.tls',
      expect.stringMatching(/^listeners\.tls\.cert: .*cert\.pem has no certificate in it/),
    ])
    await connect()
  })
})

describe('a broker with TLS does not start', () => {
  const other = issue({ cn: 'other' })
  const locked = other.privateKey
    .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'right' })
    .toString()

  it.each([
    ['key.pem', null, { key: '/nowhere/key.pem' }, /listeners\.tls\.key: \/nowhere\/key\.pem does not exist/],
    ['key.pem', other.key, {}, /key\.pem is not the key of the certificate in .*cert\.pem/],
    ['key.pem', 'nothing', {}, /key\.pem has no private key in it/],
    ['key.pem', locked, {}, /key\.pem is encrypted; name the file .* in listeners\.tls\.passphraseFile/],
    [
      'key.pem',
      locked,
      { passphrase: 'wrong' },
      /cannot be read with the passphrase in listeners\.tls\.passphraseFile/,
    ],
    ['ca.pem', 'nothing', {}, /listeners\.tls\.ca: .*ca\.pem has no certificate in it/],
  ])(
    'with a wrong %s, and says what is wrong (%#)',
    async (name, text, more: { passphrase?: string; key?: string }, problem) => {
      const files = await tlsFiles()
      if (text !== null) await files.write(name, text)
      const { passphrase, ...changed } = more
      const passphraseFile = passphrase === undefined ? null : await files.write('passphrase', `${passphrase}\n`)
      const tls = { ...files.options, ...changed, passphraseFile }
      const broker = new Eventflow({ config: { listeners: { tcp: { port: 0 }, tls }, store: { kind: 'memory' } } })
      await expect(broker.start()).rejects.toMatchObject({
        code: 'TLS_FILE_INVALID',
        message: expect.stringMatching(problem),
      })
    },
  )

  it('but does with an encrypted key and its passphrase', async () => {
    const files = await tlsFiles()
    await files.write('cert.pem', other.cert)
    await files.write('key.pem', locked)
    const tls = { ...files.options, passphraseFile: await files.write('passphrase', 'right\n') }
    await startBroker({ listeners: { tcp: { port: 0 }, tls } })
  })
})

it('what a listener has no room for is closed, and there is room again once another leaves', async () => {
  const files = await tlsFiles()
  const broker = await startBroker({ listeners: { tcp: { port: 0 }, tls: { ...files.options, maxConnections: 1 } } })
  const events = listenTo(broker, 'client.connecting-refused')
  const { port } = broker.listeners[1]!
  const options = { protocol: 'mqtts', ca: files.authority.cert } as const
  const first = await connectClient(port, options)
  await expect(connectClient(port, options)).rejects.toThrow()
  await events.find('client.connecting-refused', { reasonCode: 0x97 })
  await first.mqtt.endAsync()
  let again = false
  while (!again)
    again = await connectClient(port, options).then(
      () => true,
      () => false,
    )
})

describeWithMosquitto('mosquitto_pub', () => {
  it('publishes with --cafile, and with --cert and --key where they are required', async () => {
    const { broker, files, tlsPort } = await start({ clientCertificate: 'require' }, 'cn')
    const events = listenTo(broker, 'message.published', 'client.connected')
    const { cert, key } = clientOf(files, { cn: 'device-7' })
    const words = ['--cafile', files.options.ca, '-q', '1', '-t', 'a', '-m', 'x']
    const mine = ['--cert', await files.write('c.pem', cert), '--key', await files.write('c.key', key)]
    expect(await pub(tlsPort, ...words, ...mine)).toMatchObject({ code: 0 })
    expect(events.of('client.connected')).toMatchObject([{ username: 'device-7' }])
    expect((await pub(tlsPort, ...words)).code).not.toBe(0)
    expect(events.of('message.published')).toHaveLength(1)
  })
})
