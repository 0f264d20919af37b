/** The commands that look at a running broker and steer it: the real program, beside a real broker. */

import { execFile } from 'node:child_process'
import { chmod, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { finish, type ProgramOptions, run } from '../helpers/program.ts'
import { until } from '../helpers/until.ts'

const MAIN = join(import.meta.dirname, '../../src/cli/main.ts')

/** A broker, and the program that knows where it is. */
async function start(config: object = {}) {
  const broker = await startBroker({ http: { port: 0 }, ...config })
  const EVENTFLOW_URL = broker.httpUrl!
  const eventflow = (words: string[], { env, ...options }: ProgramOptions = {}) =>
    finish(words, { env: { EVENTFLOW_URL, ...env }, ...options })
  return { broker, url: EVENTFLOW_URL, eventflow }
}

/** What `--json` prints, as objects. */
function objects(output: string): Array<Record<string, unknown>> {
  const lines = output.split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

describe('eventflow queues', () => {
  it('lists queues, aligned for people and as JSON for programs', async () => {
    const { broker, eventflow } = await start()
    for (const queue of ['b', 'a/long/name', 'a/long/name']) await broker.publish(`queue/${queue}`, 'x', { qos: 1 })
    const { code, stdout, stderr } = await eventflow(['queues', 'list'])
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const rate = /[\d.]+(?= +0 +0 {2}no$)/gm
    expect(stdout.replace(rate, (digits) => 'N'.padStart(digits.length)).split('\n')).toEqual([
      'QUEUE        MESSAGES  READY  IN FLIGHT  DELAYED  RESTING  IN/S  OUT/S  CONSUMERS  PAUSED',
      'a/long/name         2      2          0        0        0     N      0          0  no',
      'b                   1      1          0        0        0     N      0          0  no',
      '',
    ])
    const found = await eventflow(['queues', 'list', '--search', 'long', '--json'])
    expect(objects(found.stdout)).toMatchObject([{ name: 'a/long/name', length: 2, paused: false }])
  })

  it('lists more queues than a page of the API has', async () => {
    const { broker, eventflow } = await start()
    for (let n = 0; n < 1_001; n++) await broker.publish(`queue/${n}`, 'x')
    expect(objects((await eventflow(['queues', 'list', '--json'])).stdout)).toHaveLength(1_001)
    expect(objects((await eventflow(['queues', 'list', '--json', '--limit', '2'])).stdout)).toHaveLength(2)
  })

  it('shows one with its consumers and its policy', async () => {
    const { broker, eventflow } = await start({ queue: { policies: [{ match: 'pay/#', maxDeliveries: 9 }] } })
    const { mqtt: consumer } = await connectClient(broker.port, { clientId: 'worker' })
    await consumer.subscribeAsync('queue/pay/eu', { qos: 1 })
    const { stdout } = await eventflow(['queues', 'show', 'pay/eu'])
    expect(stdout).toMatch(/^queue +pay\/eu$/m)
    expect(stdout).toMatch(/^policy +pay\/#$/m)
    expect(stdout).toMatch(/^ {2}maxDeliveries +9$/m)
    expect(stdout).toMatch(/^worker +queue\/pay\/eu +1 +yes +0$/m)
    const [shown] = objects((await eventflow(['queues', 'show', 'pay/eu', '--json'])).stdout)
    expect(shown).toMatchObject({ name: 'pay/eu', policy: { maxDeliveries: 9 } })
  })

  it('peeks without consuming, and shows control characters rather than send them to a terminal', async () => {
    const { broker, eventflow } = await start()
    for (const payload of ['\x1b[2Jone\n', Buffer.from([0xff, 0]), 'three'])
      await broker.publish('queue/jobs', payload, { qos: 1 })
    const { stdout } = await eventflow(['queues', 'peek', 'jobs', '--limit', '2'])
    const lines = stdout.trimEnd().split('\n')
    expect(lines).toHaveLength(3)
    expect(lines[1]).toMatch(/^ *\d+ {2}ready .* {2}\\u001b\[2Jone\\n$/)
    expect(lines[2]).toMatch(/ base64:\/wA=$/)
    expect(objects((await eventflow(['queues', 'peek', 'jobs', '--json'])).stdout)[2]).toMatchObject({
      payload: 'three',
    })
    expect((await broker.queues.show('jobs')).length).toBe(3)
  })

  it('pauses, resumes, purges and deletes', async () => {
    const { broker, eventflow } = await start()
    for (const payload of ['1', '2']) await broker.publish('queue/work/eu', payload, { qos: 1 })
    expect(await eventflow(['queues', 'pause', 'work/eu'])).toMatchObject({ code: 0, stdout: 'work/eu is paused\n' })
    expect((await broker.queues.show('work/eu')).paused).toBe(true)
    const purged = await eventflow(['queues', 'purge', 'work/eu', '--yes'])
    expect(purged).toMatchObject({ code: 0, stdout: 'work/eu: 2 messages removed\n' })
    const deleted = await eventflow(['queues', 'delete', 'work/eu', '--yes', '--json'])
    expect({ ...deleted, stdout: objects(deleted.stdout) }).toMatchObject({ code: 0, stdout: [{ messages: 0 }] })
    expect(broker.queues.list()).toEqual([])
    await broker.queues.pause('other')
    expect(await eventflow(['queues', 'resume', 'other'])).toMatchObject({ code: 0, stdout: 'other is resumed\n' })
  })

  it.each(['purge', 'delete'])('does not %s without --yes where nobody can be asked', async (verb) => {
    const { broker, eventflow } = await start()
    await broker.publish('queue/jobs', 'x', { qos: 1 })
    const { code, stdout, stderr } = await eventflow(['queues', verb, 'jobs'], { input: 'y\n' })
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('--yes is needed')
    expect((await broker.queues.show('jobs')).length).toBe(1)
  })

  it('sends dead letters back in batches, up to a limit', async () => {
    const { broker, eventflow } = await start()
    const many = Array.from({ length: 2_100 }, (_, n) => broker.publish('queue/dead/jobs', String(n), { qos: 1 }))
    await Promise.all(many)
    const some = await eventflow(['queues', 'redrive', 'dead/jobs', '--limit', '50'])
    expect(some).toEqual({ code: 0, stdout: 'dead/jobs: 50 messages sent back\n', stderr: '' })
    const rest = await eventflow(['queues', 'redrive', 'dead/jobs', '--json'])
    expect(objects(rest.stdout)).toEqual([{ moved: 2_050, left: 0 }])
    expect((await broker.queues.show('jobs')).length).toBe(2_100)
  })

  it('says which dead letters could not go back', async () => {
    const { broker, eventflow } = await start({
      queue: { maxLength: 2, policies: [{ match: 'dead/#', maxLength: null }] },
    })
    for (const payload of ['1', '2', '3']) await broker.publish('queue/dead/jobs', payload, { qos: 1 })
    const { code, stdout } = await eventflow(['queues', 'redrive', 'dead/jobs'])
    expect(code).toBe(0)
    expect(stdout).toMatch(/^dead\/jobs: 2 messages sent back; 1 message could not go back/)
  })

  it.each([
    [[], 'what is to be done is missing'],
    [['eat', 'jobs'], "cannot 'eat' queues"],
    [['show'], 'show takes the name of one queue'],
    [['list', 'jobs'], 'list takes no name'],
    [['peek', 'jobs', '--limit', '1001'], "--limit takes a whole number from 1 to 1000, found '1001'"],
    [['purge', 'jobs', '--yes', '--limit', '5'], 'purge takes no --limit'],
    [['show', 'jobs', '--search', 'x'], 'show takes no --search'],
    [['show', '..'], "the name '..' cannot be part of a URL"],
    [['list', '--token', 'secret'], "Unknown option '--token'"],
    [['list', '--url', 'localhost:8080'], '--url takes http://HOST:PORT'],
  ])('wrongly called with %j ends with 2 and one line', async (words, problem) => {
    const { code, stdout, stderr } = await finish(['queues', ...words])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain(problem)
    expect(stderr).toMatch(/^eventflow queues: [^\n]+; expected: eventflow queues list\|[^\n]+\n$/)
  })

  it('says that there is no such queue, and how queues are named', async () => {
    const { url, eventflow } = await start()
    const { code, stdout, stderr } = await eventflow(['queues', 'show', 'queue/jobs'])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toBe(`eventflow queues: ${url}: there is no queue 'queue/jobs'; names are without queue/\n`)
  })
})

describe('eventflow clients', () => {
  it('lists clients, shows one with its subscriptions, and sends it away', async () => {
    const { broker, eventflow } = await start()
    await connectClient(broker.port, { clientId: 'other' })
    const { mqtt: client } = await connectClient(broker.port, { clientId: 'pump/7', protocolVersion: 5 })
    await client.subscribeAsync('a/+', { qos: 1 })
    const listed = await eventflow(['clients', 'list'])
    expect(listed.stdout.split('\n').map((line) => line.split(/ {2,}/)[0])).toEqual(['CLIENT', 'other', 'pump/7', ''])
    const found = objects((await eventflow(['clients', 'list', '--search', 'ump', '--json'])).stdout)
    expect(found).toMatchObject([{ clientId: 'pump/7', protocol: '5.0', subscriptions: 1 }])
    const shown = await eventflow(['clients', 'show', 'pump/7'])
    expect(shown.stdout).toMatch(/^connected +yes$/m)
    expect(shown.stdout).toMatch(/^a\/\+ +1 +no +no +-$/m)
    const reason = new Promise((resolve) => client.once('disconnect', ({ reasonCode }) => resolve(reasonCode)))
    const kicked = await eventflow(['clients', 'kick', 'pump/7'])
    expect(kicked).toEqual({ code: 0, stdout: 'pump/7 is disconnected\n', stderr: '' })
    expect(await reason).toBe(0x98)
    expect(await eventflow(['clients', 'kick', 'nobody'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("'nobody'"),
    })
  })
})

describe('eventflow status', () => {
  it('tells the last events, a line each', async () => {
    const { broker, eventflow } = await start()
    const { mqtt: client } = await connectClient(broker.port, { clientId: 'c1' })
    await client.endAsync()
    await until('it is gone', () => broker.status.recent({ type: 'client.disconnected' }).length > 0)
    const words = ['status', '--type', 'client.*', '--last', '2', '--count', '2']
    const { code, stdout } = await eventflow(words)
    expect(code).toBe(0)
    const [first, second] = stdout.split('\n')
    expect(first).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z client\.connected clientId=c1 /)
    expect(second).toMatch(/ client\.disconnected clientId=c1 reason=/)
    expect(objects((await eventflow([...words, '--json'])).stdout)).toMatchObject([
      { type: 'client.connected', data: { clientId: 'c1' } },
      { type: 'client.disconnected' },
    ])
  })

  it('follows what happens, as it happens, until the broker stops', async () => {
    const { broker, url } = await start()
    const words = ['status', '--type', 'queue.paused,broker.stopping', '--json']
    const following = run(words, { env: { EVENTFLOW_URL: url } })
    for (let n = 0; following.stdout === ''; n++) await broker.queues.pause(`q${n}`)
    await broker.stop()
    expect(await following.ended).toBe(1)
    const events = objects(following.stdout)
    expect(events[0]).toMatchObject({ type: 'queue.paused' })
    expect(events.at(-1)).toMatchObject({ type: 'broker.stopping' })
    expect(following.stderr).toBe(`eventflow status: ${url} has ended the stream of events: the broker stops\n`)
  })

  it('knows which events there are', async () => {
    const { eventflow } = await start()
    const { code, stderr } = await eventflow(['status', '--type', 'coffee.*'])
    expect(code).toBe(1)
    expect(stderr).toContain("there is no event 'coffee.*'")
  })
})

describe('completion', () => {
  it('knows the names of queues and clients', async () => {
    const { broker, url, eventflow } = await start()
    for (const name of ['jobs/eu', 'jobs/a b', 'other']) await broker.publish(`queue/${name}`, 'x')
    await connectClient(broker.port, { clientId: "it's" })
    const named = await eventflow(['completion', 'names', 'queues', 'jobs/'])
    expect(named).toEqual({ code: 0, stdout: 'jobs/a\\ b\njobs/eu\n', stderr: '' })
    expect(await eventflow(['completion', 'names', 'clients'])).toMatchObject({ stdout: "it\\'s\n" })
    const { stdout: script } = await eventflow(['completion', 'bash'])
    const program = `eventflow() { ${process.execPath} --import ${import.meta.resolve('tsx')} ${MAIN} "$@"; }`
    const words = `COMP_WORDS=(eventflow queues show jobs/e); COMP_CWORD=3; _eventflow; printf '%s\\n' "\${COMPREPLY[@]}"`
    const env = { PATH: process.env.PATH, EVENTFLOW_URL: url }
    const { stdout } = await promisify(execFile)('bash', ['--norc', '-c', `${program}\n${script}\n${words}`], { env })
    expect(stdout).toBe('jobs/eu\n')
    const nobody = await finish(['completion', 'names', 'queues'], { env: { EVENTFLOW_URL: 'http://127.0.0.1:1' } })
    expect(nobody).toEqual({ code: 1, stdout: '', stderr: '' })
  })
})

describe('commands that talk to the HTTP API', () => {
  it('say what to do when nobody answers', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    const url = `http://127.0.0.1:${port}`
    const { code, stdout, stderr } = await finish(['clients', 'list', '--url', url])
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(
      new RegExp(
        `^eventflow clients: ${url} does not answer \\(ECONNREFUSED\\).*--http-port ${port}, or .*--url.*\\n$`,
      ),
    )
  })

  it('say when what answers is no broker', async () => {
    const server = createServer((_request, response) => response.writeHead(404).end('no such page')).listen(0)
    onTestFinished(() => void server.close())
    await new Promise((resolve) => server.once('listening', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/some/path/`
    const { code, stderr } = await finish(['status', '--url', url])
    expect(code).toBe(1)
    expect(stderr).toContain('/some/path answers 404 Not Found, and not as Eventflow does')
  })

  it('end well when their reader has enough', async () => {
    const { broker, url } = await start()
    for (let n = 0; n < 1_001; n++) await broker.publish(`queue/${n}`, 'x')
    const listing = run(['queues', 'list', '--json'], { env: { EVENTFLOW_URL: url } })
    listing.child.stdout.destroy()
    expect(await listing.ended).toBe(0)
    expect(listing.stderr).toBe('')
  })

  it('take their token from a file or from the environment', async () => {
    const folder = await temporaryFolder()
    const tokenFile = join(folder, 'tokens')
    await writeFile(tokenFile, '# people\nada operate 0123456789abcdef-operate\neve read 0123456789abcdef-read\n')
    await chmod(tokenFile, 0o600)
    const { broker, eventflow } = await start({ http: { port: 0, tokenFile } })
    const none = await eventflow(['queues', 'list'])
    expect(none).toMatchObject({ code: 1, stderr: expect.stringContaining('it wants a token. Name a file with') })
    const wrong = await eventflow(['queues', 'list'], { env: { EVENTFLOW_TOKEN: 'wrong' } })
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('it does not know this token') })
    const reader = { env: { EVENTFLOW_TOKEN: '0123456789abcdef-read' } }
    expect(await eventflow(['queues', 'list'], reader)).toMatchObject({ code: 0 })
    const refused = await eventflow(['queues', 'pause', 'q'], reader)
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('a token whose role is operate') })
    expect(await eventflow(['queues', 'pause', 'q', '--token-file', tokenFile], reader)).toMatchObject({ code: 0 })
    expect(broker.queues.list()).toMatchObject([{ name: 'q', paused: true }])
    const odd = await eventflow(['queues', 'list'], { env: { EVENTFLOW_TOKEN: 'geheim\nß' } })
    expect(odd).toMatchObject({ code: 1, stderr: 'eventflow queues: the token has characters that no token has\n' })
    await writeFile(join(folder, 'empty'), '\n')
    const empty = await eventflow(['queues', 'list', '--token-file', join(folder, 'empty')])
    expect(empty).toMatchObject({ code: 1, stderr: expect.stringContaining('has no token in it') })
  })
})
