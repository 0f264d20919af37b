/** `eventflow pub` and `eventflow sub`: the real programs, with a real broker between them. */

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { finish, type ProgramOptions, run } from '../helpers/program.ts'
import { tlsFiles } from '../helpers/tls.ts'
import { until } from '../helpers/until.ts'

type Broker = Awaited<ReturnType<typeof startBroker>>

const at = ({ port }: Broker): string[] => ['--port', String(port)]

/** `eventflow sub`, once it is subscribed. */
async function subscribed(broker: Broker, words: string[], options: ProgramOptions = {}) {
  const added = listenTo(broker, 'subscription.added')
  const running = run(['sub', ...words, ...at(broker)], options)
  let over = false
  void running.ended.then(() => {
    over = true
  })
  await until('it is subscribed', () => added.all.length > 0 || over)
  return running
}

describe('eventflow pub', () => {
  it('publishes a message at the QoS asked for, retained, with properties; it ends when the broker has it', async () => {
    const broker = await startBroker()
    const { packets, messages, mqtt } = await connectClient(broker.port, { protocolVersion: 5 })
    await mqtt.subscribeAsync('a/b', { qos: 2, rap: true })
    const words = ['a/b', 'hello', '--qos', '2', '--retain', '--property', 'k=1', '--property', 'k=x=y']
    expect(await finish(['pub', ...words, ...at(broker)])).toEqual({ code: 0, stdout: '', stderr: '' })
    expect(await messages(1)).toEqual(['hello'])
    expect(packets[0]).toMatchObject({ qos: 2, retain: true, properties: { userProperties: { k: ['1', 'x=y'] } } })
  })

  it('publishes standard input, whole or line by line', async () => {
    const broker = await startBroker()
    const input = 'one\ntwo\r\n\nfour'
    expect(await finish(['pub', 'queue/whole', ...at(broker)], { input })).toMatchObject({ code: 0 })
    expect(await finish(['pub', 'queue/lines', '--lines', ...at(broker)], { input })).toMatchObject({ code: 0 })
    const payloads = async (queue: string) => (await broker.queues.peek(queue)).map(({ payload }) => String(payload))
    expect(await payloads('whole')).toEqual([input])
    expect(await payloads('lines')).toEqual(['one', 'two', '', 'four'])
  })

  it.each([
    [[], 'a topic is missing'],
    [['a/#', 'x'], 'without wildcards'],
    [['a', 'b', 'c'], 'quote what has spaces'],
    [['a', 'b', '--lines'], '--lines goes without MESSAGE'],
    [['a', 'b', '--qos', '3'], '--qos takes a whole number from 0 to 2'],
    [['a', 'b', '--property', 'x'], "--property takes NAME=VALUE, found 'x'"],
    [['a', 'b', '-P', 'x'], 'a password on the command line is seen by others: EVENTFLOW_PASSWORD or'],
    [['-t', 'a', '-t', 'b', '-m', 'x'], 'on one topic'],
    [['a', 'b', '-m', 'c'], 'more than one message'],
    [['a', '-n', '-m', 'c'], 'more than one message'],
    [['a', 'b', '-V', '3.1.1', '--property', 'x=y'], 'take MQTT 5'],
    [['a', 'b', '-V', '6'], "--mqtt-version takes 5, 3.1.1 or 3.1, found '6'"],
    [['a', 'b', '--cert', 'x'], '--cert and --key go together'],
    [['a', 'b', '--password-file', '/dev/null'], 'a password goes with a --username'],
  ])('wrongly called with %j ends with 2 and one line', async (words, problem) => {
    const { code, stdout, stderr } = await finish(['pub', ...words])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(problem)
    expect(stderr).toMatch(/^eventflow pub: [^\n]+; expected: eventflow pub TOPIC [^\n]+\n$/)
  })

  it('has the options of mosquitto_pub', { timeout: 60_000 }, async () => {
    const broker = await startBroker({ http: { port: 0 } })
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'file'), Buffer.from([0xff, 0x0a]))
    const { packets, messages, mqtt } = await connectClient(broker.port)
    await mqtt.subscribeAsync('m/#', { qos: 2 })
    const where = ['-h', '127.0.0.1', '-p', String(broker.port)]
    const known = listenTo(broker, 'client.connected')
    for (const words of [
      ['-t', 'm/dash', '-m', '-5', '-q', '0', '-V', 'mqttv311', '-i', 'sensor', '-k', '30'],
      ['-t', 'm/file', '-f', join(folder, 'file'), '-q', '2', '-V', '3.1'],
      ['-t', 'm/kept', '-m', 'x', '-r', '-V', 'mqttv5', '--expiry', '60'],
      ['-t', 'm/kept', '-n', '-r'],
    ]) {
      expect(await finish(['pub', ...words, ...where])).toEqual({ code: 0, stdout: '', stderr: '' })
    }
    expect(await finish(['pub', '-t', 'm/lines', '-l', ...where], { input: '1\n2' })).toMatchObject({ code: 0 })
    expect(await finish(['pub', '-t', 'm/all', '-s', ...where], { input: '1\n2\n' })).toMatchObject({ code: 0 })
    await messages(7)
    expect(packets.map(({ topic, payload, qos }) => [topic, payload.toString('latin1'), qos])).toEqual([
      ['m/dash', '-5', 0],
      ['m/file', '\xff\n', 2],
      ['m/kept', 'x', 1],
      ['m/kept', '', 1],
      ['m/lines', '1', 1],
      ['m/lines', '2', 1],
      ['m/all', '1\n2\n', 1],
    ])
    expect(known.of('client.connected')[0]).toMatchObject({
      clientId: 'sensor',
      protocolVersion: 4,
      keepAliveSeconds: 30,
    })
  })

  it('fails on MQTT 3.1.1 too when the broker does not take the message', async () => {
    const broker = await startBroker()
    const refused = await finish(['pub', '$SYS/x', 'x', '-V', '3.1.1', ...at(broker)])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/^eventflow pub: \$SYS\/x is not published: [^\n]+\n$/)
  })

  it('takes words behind -- as they are', async () => {
    const broker = await startBroker()
    expect(await finish(['pub', ...at(broker), 'queue/q', '--', '--help'])).toMatchObject({ code: 0, stdout: '' })
    expect((await broker.queues.peek('q')).map(({ payload }) => String(payload))).toEqual(['--help'])
  })

  it('fails when the broker does not take the message, or is not there', async () => {
    const broker = await startBroker()
    const refused = await finish(['pub', '$SYS/x', 'x', ...at(broker)])
    expect(refused).toEqual({ code: 1, stdout: '', stderr: 'eventflow pub: $SYS/x is not published: Not authorized\n' })
    await broker.stop()
    const { code, stderr } = await finish(['pub', 'a', 'x', ...at(broker)])
    expect(code).toBe(1)
    expect(stderr).toMatch(/^eventflow pub: mqtt:\/\/127\.0\.0\.1:\d+ does not answer \(ECONNREFUSED\)\. [^\n]+\n$/)
  })

  it('says who it is, with a password from a file or the environment', async () => {
    const folder = await temporaryFolder()
    const passwordFile = join(folder, 'passwords')
    await finish(['passwd', '-c', '-I', '10', passwordFile, 'ada'], { input: 'correct horse\n' })
    const access = { passwordFile, rules: [{ allow: 'publish' as const, user: 'ada', topics: ['queue/#'] }] }
    const broker = await startBroker({ access })
    const words = ['pub', 'queue/q', 'x', ...at(broker)]
    const nobody = await finish(words)
    expect(nobody.code).toBe(1)
    expect(nobody.stderr).toMatch(/^eventflow pub: mqtt:\S+ refuses us: .*--username and --password-file\n$/)
    await writeFile(join(folder, 'password'), 'correct horse\n')
    const ada = [...words, '--username', 'ada']
    expect(await finish([...ada, '--password-file', join(folder, 'password')])).toMatchObject({ code: 0 })
    expect(await finish(ada, { env: { EVENTFLOW_PASSWORD: 'correct horse' } })).toMatchObject({ code: 0 })
    expect((await broker.queues.show('q')).length).toBe(2)
  })
})

it('eventflow pub and sub speak TLS, with the authorities that are named and no others', async () => {
  const { options } = await tlsFiles()
  const broker = await startBroker({ listeners: { tcp: { port: 0 }, tls: options } })
  const port = String(broker.listeners.find(({ name }) => name === 'tls')!.port)
  const words = ['queue/q', 'x', '--port', port, '--qos', '1']
  expect(await finish(['pub', ...words, '--ca-file', options.ca])).toMatchObject({ code: 0, stderr: '' })
  expect((await broker.queues.show('q')).length).toBe(1)
  expect(await finish(['pub', ...words, '--tls'])).toMatchObject({
    ...{ code: 1, stderr: expect.stringMatching(/mqtts:.*\((SELF_SIGNED_CERT|UNABLE_TO)\w+\)/) },
  })
})

describe('eventflow sub', () => {
  it('prints payloads as they are, a line each, and ends after so many', async () => {
    const broker = await startBroker()
    const running = await subscribed(broker, ['a/+', 'b', '--count', '3', '--qos', '0'])
    const bytes: Buffer[] = []
    running.child.stdout.on('data', (chunk: Buffer) => bytes.push(chunk))
    for (const topic of ['a/1', 'b', 'other', 'a/2', 'a/3', 'a/4']) {
      await broker.publish(topic, topic === 'b' ? Buffer.from([0xff, 0x1b]) : topic)
    }
    expect(await running.ended).toBe(0)
    const expected = [Buffer.from('a/1\n'), Buffer.from([0xff, 0x1b]), Buffer.from('\na/2\n')]
    expect(Buffer.concat(bytes)).toEqual(Buffer.concat(expected))
  })

  it('tells topics with --verbose, and everything with --json', async () => {
    const broker = await startBroker()
    await broker.publish('kept', Buffer.from([0xff]), { retain: true })
    const verbose = await finish(['sub', 'kept', '--count', '1', '--verbose', '--json', ...at(broker)])
    expect(JSON.parse(verbose.stdout)).toEqual({
      ...{ topic: 'kept', payload: '/w==', encoding: 'base64', qos: 0, retain: true, userProperties: {} },
    })
    await broker.publish('kept', 'text', { retain: true })
    const named = await finish(['sub', 'kept', '--count', '1', '--verbose', ...at(broker)])
    expect(named).toMatchObject({ code: 0, stdout: 'kept text\n' })
  })

  it('has the options of mosquitto_sub', { timeout: 60_000 }, async () => {
    const broker = await startBroker()
    await broker.publish('kept', 'old', { retain: true, qos: 1 })
    const where = ['-h', '127.0.0.1', '-p', String(broker.port)]
    const words = [
      '-t',
      'a/+',
      '-t',
      'kept',
      '-F',
      '%t|%p|%x|%b|%l|%q|%r|%%\\t%I',
      '-C',
      '2',
      '-q',
      '1',
      '-V',
      '311',
      '-R',
    ]
    const running = await subscribed(broker, [...words, '-h', '127.0.0.1'])
    await broker.publish('a/ü', 'ä', { qos: 2 })
    await broker.publish('kept', 'new', { qos: 0 })
    expect(await running.ended).toBe(0)
    const [first, second] = running.stdout.split('\n')
    expect(first).toMatch(/^a\/ü\|ä\|c3a4\|w6Q=\|2\|1\|0\|%\t\d{4}-\d\d-\d\dT[\d:.]+Z$/)
    expect(second).toMatch(/^kept\|new\|6e6577\|bmV3\|3\|0\|0\|/)
    const bare = await finish(['sub', '-t', 'kept', '--retained-only', '-C', '1', '-N', '-v', ...where])
    expect(bare).toEqual({ code: 0, stdout: 'kept old', stderr: '' })
    const late = await finish(['sub', '-t', 'nothing', '-C', '1', '-W', '1', ...where])
    expect(late).toEqual({ code: 1, stdout: '', stderr: 'eventflow sub: there were less than 1 messages in 1 s\n' })
    expect(await finish(['sub', '-t', 'nothing', '-W', '1', ...where])).toEqual({ code: 0, stdout: '', stderr: '' })
    for (const [wrong, problem] of [
      [['-F', '%y'], '--format knows %t'],
      [['-c'], '--keep-session goes with a --client-id'],
      [['-R', '--retained-only'], 'leave nothing'],
    ] as const) {
      const { code, stderr } = await finish(['sub', '-t', 'a', ...wrong])
      expect([code, stderr]).toEqual([2, expect.stringContaining(problem)])
    }
  })

  it.each(['5', '3.1.1'])('keeps its session when it is asked to, on MQTT %s', async (version) => {
    const broker = await startBroker()
    const words = ['-t', 'a', '-c', '-i', 'reader', '-V', version, '-C', '1', ...at(broker)]
    const first = await subscribed(broker, words.slice(0, -2))
    await broker.publish('a', '1', { qos: 1 })
    expect(await first.ended).toBe(0)
    await broker.publish('a', '2', { qos: 1 })
    expect(await finish(['sub', ...words])).toMatchObject({ code: 0, stdout: '2\n' })
  })

  it('fails on MQTT 3.1.1 too when it may not subscribe', async () => {
    const broker = await startBroker()
    const refused = await finish(['sub', '$share/g/$eventflow/status', '-V', '3.1.1', ...at(broker)])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/^eventflow sub: \$share\S+ is not subscribed to: [^\n]+\n$/)
  })

  it('takes no more from a queue than it prints', async () => {
    const broker = await startBroker()
    for (const payload of ['1', '2', '3', '4']) await broker.publish('queue/jobs', payload, { qos: 1 })
    expect(await finish(['sub', 'queue/jobs', '--count', '2', ...at(broker)])).toMatchObject({
      ...{ code: 0, stdout: '1\n2\n' },
    })
    expect((await broker.queues.peek('jobs')).map(({ payload }) => String(payload))).toEqual(['3', '4'])
  })

  it('says goodbye when a signal ends it, and fails when the broker goes away', async () => {
    const broker = await startBroker()
    const gone = listenTo(broker, 'client.disconnected')
    const stopped = await subscribed(broker, ['a', '--client-id', 'reader'])
    stopped.child.kill('SIGINT')
    expect(await stopped.ended).toBe(0)
    await until('the broker knows', () => gone.all.length > 0)
    expect(gone.of('client.disconnected')[0]).toMatchObject({ clientId: 'reader', reason: 'client' })
    const left = await subscribed(broker, ['a'])
    await broker.stop()
    expect(await left.ended).toBe(1)
    expect(left.stderr).toBe('eventflow sub: the broker closed the connection\n')
  })

  it('fails when it may not subscribe, and is wrongly called without a filter', async () => {
    const broker = await startBroker()
    const refused = await finish(['sub', '$share/g/$eventflow/status', ...at(broker)])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/^eventflow sub: \$share\S+ is not subscribed to: [^\n]+\n$/)
    const missing = await finish(['sub'])
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('a filter is missing') })
  })
})
