/** The `eventflow` program as it is run: its flags, what it prints, and how it ends. */

import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parse } from 'yaml'
import { startProcess, temporaryFolder } from '../helpers/broker.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { finish, type ProgramOptions, run } from '../helpers/program.ts'
import { until } from '../helpers/until.ts'

const ROOT = join(import.meta.dirname, '../..')

/** `eventflow start`, once it listens: its log as objects. */
async function start(words: readonly string[], options: ProgramOptions = {}) {
  const running = run(['start', ...words], options)
  let ended = false
  void running.ended.then(() => {
    ended = true
  })
  const listening = () => log(running.stdout).find(({ listener }) => listener === 'tcp')
  await until('it listens, or has ended', () => listening() !== undefined || ended)
  expect(running.stderr).toBe('')
  return Object.assign(running, { listening: listening()!, log: () => log(running.stdout) })
}

function log(output: string): Array<Record<string, unknown>> {
  const lines = output.split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>)
}

describe('under systemd', () => {
  /** A program systemd-notify that writes down what it is called with. */
  async function notify() {
    const folder = await temporaryFolder()
    const told = join(folder, 'told')
    const script = `#!/bin/sh\necho "$NOTIFY_SOCKET $*" >> ${told}\n`
    await writeFile(join(folder, 'systemd-notify'), script, { mode: 0o755 })
    const env = { PATH: `${folder}:${process.env.PATH}`, NOTIFY_SOCKET: '/run/notify' }
    const lines = async () => (await readFile(told, 'utf8').catch(() => '')).split('\n').slice(0, -1)
    return { env, lines }
  }

  it('says when it is ready and when it stops, and in between that it lives', async () => {
    const { env, lines } = await notify()
    const words = ['--port', '0', '--store', 'memory']
    const { child, ended } = await start(words, { env: { ...env, WATCHDOG_USEC: '40000' } })
    while ((await lines()).length < 3) await setImmediate()
    child.kill('SIGTERM')
    expect(await ended).toBe(0)
    const said = ['READY=1', 'WATCHDOG=1', 'STOPPING=1'].map((message) => `/run/notify ${message}`)
    while (!(await lines()).includes(said[2]!)) await setImmediate()
    expect(new Set(await lines())).toEqual(new Set(said))
  })

  it('leaves the watchdog alone that is for another process, and goes on where there is no systemd-notify', async () => {
    const { env, lines } = await notify()
    const words = ['--port', '0', '--store', 'memory']
    const other = await start(words, { env: { ...env, WATCHDOG_USEC: '1000', WATCHDOG_PID: '1' } })
    const alone = await start(words, { env: { PATH: '/nowhere', NOTIFY_SOCKET: '/run/notify' } })
    await until('that is told', () => alone.stdout.includes('systemd-notify is needed'))
    for (const { child } of [other, alone]) child.kill('SIGTERM')
    expect([await other.ended, await alone.ended]).toEqual([0, 0])
    while ((await lines()).length < 2) await setImmediate()
    expect((await lines()).sort()).toEqual(['/run/notify READY=1', '/run/notify STOPPING=1'])
  })
})

describe('eventflow start', () => {
  it('logs JSON, with a line that says on which host and port it listens', async () => {
    const { listening, log } = await start(['--port', '0', '--store', 'memory'])
    expect(listening).toMatchObject({ level: 'info', listener: 'tcp', host: '127.0.0.1', store: 'memory' })
    expect(listening.port).toBeGreaterThan(0)
    expect(new Date(listening.time as string).toISOString()).toBe(listening.time)
    expect(log().every(({ level, msg }) => typeof level === 'string' && typeof msg === 'string')).toBe(true)
    const client = await connectClient(listening.port as number)
    await client.mqtt.publishAsync('t', 'x', { qos: 1 })
  })

  it('takes the configuration from defaults, file, environment and flags, in this order', async () => {
    const folder = await temporaryFolder()
    const file = join(folder, 'my.yaml')
    await writeFile(
      file,
      'node: from-file\nlisteners: { tcp: { host: localhost, port: 1 } }\nstore: { kind: memory }\n',
    )
    const env = { EVENTFLOW_NODE: 'from-environment', EVENTFLOW_LISTENERS_TCP_PORT: '2' }
    const { listening } = await start(['--config', file, '--port', '0'], { env })
    expect(listening).toMatchObject({ node: 'from-environment', host: 'localhost', store: 'memory' })
    expect(listening.port).toBeGreaterThan(2)
  })

  it('keeps its data where --data says', async () => {
    const folder = await temporaryFolder()
    await start(['--port', '0', '--data', 'there/it/is'], { cwd: folder })
    expect(await readFile(join(folder, 'there/it/is/CURRENT'), 'utf8')).toMatch(/MANIFEST/)
  })

  it('logs nothing below --log-level, and offers HTTP on --http-port', async () => {
    const started = await start(['--port', '0', '--store', 'memory', '--http-port', '0'])
    const line = started.log().find(({ msg }) => /^HTTP on /.test(String(msg)))
    expect((await fetch(`http://127.0.0.1:${line?.port}/ready`)).status).toBe(200)
    const quiet = run(['start', '--port', '0', '--store', 'memory', '--log-level', 'silent'])
    const warning = run(['start', '--port', '0', '--store', 'memory', '--log-level', 'warn'])
    await until('it warns that there are no users', () => warning.stdout.includes('nobody needs a password'))
    warning.child.kill('SIGTERM')
    await warning.ended
    expect(log(warning.stdout).map(({ level }) => level)).not.toContain('info')
    quiet.child.kill('SIGTERM')
    await quiet.ended
    expect(quiet.stdout).toBe('')
  })

  it('tells all that is wrong with its configuration at once: where, what was expected, what was found', async () => {
    const folder = await temporaryFolder()
    const file = join(folder, 'wrong.yaml')
    await writeFile(file, 'listeners:\n  tcp: { port: 70000 }\nqueue:\n  prefetsh: 3\n  ackTimeout: soon\n')
    const env = { EVENTFLOW_STORE_KIND: 'paper', EVENTFLOW_NO_SUCH: '1' }
    const words = ['start', '--config', file, '--log-level', 'chatty']
    const { code, stdout, stderr } = await finish(words, { env })
    expect(code).toBe(2)
    expect(stdout).toBe('')
    const lines = stderr.trimEnd().split('\n')
    const expected = [
      /^listeners\.tcp\.port: expected a whole number from 0 to 65535, found 70000 \(.*wrong\.yaml:2\)$/,
      /^queue\.prefetsh: no such option, expected one of .*prefetch.*wrong\.yaml:4/,
      /^queue\.ackTimeout: expected a duration .*"soon"/,
      /^store\.kind: expected one of level, memory, found "paper" \(EVENTFLOW_STORE_KIND\)$/,
      /^log\.level: expected one of .*"chatty" \(--log-level\)$/,
      /^EVENTFLOW_NO_SUCH: no such option/,
    ]
    for (const line of expected) expect(lines).toContainEqual(expect.stringMatching(line))
    expect(lines).toHaveLength(expected.length)
  })

  it.each([['start', '--prot', '1883'], ['start', 'now'], ['start', '--port'], ['stat'], []])(
    'ends with 2 when it is called as %s %s %s',
    async (...words) => {
      const { code, stderr } = await finish(words.filter((word) => word !== undefined))
      expect(code).toBe(2)
      expect(stderr).toMatch(/^eventflow/)
      expect(stderr).not.toMatch(/ at .*\.ts:\d/) // no stack
    },
  )

  it('refuses data that another process has open, and leaves that one alone', async () => {
    const folder = await temporaryFolder()
    const first = await startProcess(folder)
    const { code, stderr } = await finish(['start', '--port', '0', '--data', join(folder, 'data')])
    expect(code).toBe(1)
    expect(stderr.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^eventflow start: .*data.* \(STORE_LOCKED\)$/),
    ])
    const client = await connectClient(first.port)
    await client.mqtt.publishAsync('queue/q', 'x', { qos: 1 })
  })

  it('says which port is in use', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const { port } = server.address() as { port: number }
    const { code, stderr } = await finish(['start', '--port', String(port), '--store', 'memory'])
    expect(code).toBe(1)
    const line = new RegExp(
      `^eventflow start: cannot listen on 127\\.0\\.0\\.1:${port}: .*EADDRINUSE.* \\(LISTEN_FAILED\\)$`,
    )
    expect(stderr.trimEnd().split('\n')).toEqual([expect.stringMatching(line)])
  })

  it('ends at once when it is asked to while it starts, and well', async () => {
    const running = run(['start', '--port', '0', '--store', 'memory'])
    await until('it has begun to log', () => running.stdout.length > 0)
    running.child.kill('SIGTERM')
    expect(await running.ended).toBe(0)
  })
})

describe('eventflow check', () => {
  it('prints the configuration in force, as a file that start takes', async () => {
    const folder = await temporaryFolder()
    const env = { EVENTFLOW_QUEUE_ACK_TIMEOUT: '30s' }
    const { code, stdout, stderr } = await finish(['check', '--port', '1884'], { env, cwd: folder })
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(parse(stdout)).toMatchObject({
      listeners: { tcp: { port: 1884 } },
      queue: { ackTimeout: 30_000, prefetch: 16 },
    })
    await writeFile(join(folder, 'again.yaml'), stdout)
    expect(await finish(['check', '--config', 'again.yaml'], { cwd: folder })).toMatchObject({ code: 0, stdout })
  })

  it('ends with 2 and says what is wrong', async () => {
    const { code, stdout, stderr } = await finish(['check', '--port', 'many', '--config', '/no/such/file'])
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toContain('/no/such/file: there is no such file')
    const env = { EVENTFLOW_ACCESS_PASSWORD_FILE: '/no/such/users', EVENTFLOW_STATUS_FILE_PATH: '/dev/null/events' }
    const files = await finish(['check', '--store', 'memory'], { env })
    expect(files).toMatchObject({ code: 2, stdout: '' })
    expect(files.stderr).toMatch(/^.*\/no\/such\/users.*\nstatus\.file\.path: \/dev\/null\/events cannot be .*\n$/)
  })
})

describe('eventflow passwd', () => {
  it('makes, changes and removes users, and reads the password from standard input', async () => {
    const folder = await temporaryFolder()
    const file = join(folder, 'passwords')
    const options = { input: 'correct horse\n' }
    expect(await finish(['passwd', '-c', '-I', '10', file, 'alice'], options)).toEqual({
      code: 0,
      stdout: '',
      stderr: '',
    })
    expect(await finish(['passwd', '-b', '-I', '10', file, 'bob', 'battery staple'])).toMatchObject({ code: 0 })
    const text = await readFile(file, 'utf8')
    expect(text).toMatch(/^alice:\$7\$10\$\S+\nbob:\$7\$10\$\S+\n$/)
    const access = { passwordFile: file, rules: [{ allow: 'publish' as const, topics: ['#'] }] }
    const broker = await startProcess(folder, { access })
    await connectClient(broker.port, { username: 'alice', password: 'correct horse' })
    await expect(connectClient(broker.port, { username: 'alice', password: 'wrong' })).rejects.toThrow()
    expect(await finish(['passwd', '-D', file, 'alice'])).toMatchObject({ code: 0 })
    expect(await readFile(file, 'utf8')).toMatch(/^bob:\S+\n$/)
  })

  it('ends with 1 where it fails, with 2 where it is wrongly called', async () => {
    const folder = await temporaryFolder()
    expect(await finish(['passwd', '-D', join(folder, 'none'), 'alice'])).toMatchObject({ code: 1 })
    expect(await finish(['passwd', '-c', '-b', join(folder, 'new/users'), 'carol', 'word'])).toMatchObject({ code: 0 })
    const called = await finish(['passwd', join(folder, 'none')])
    expect(called).toMatchObject({ code: 2, stderr: expect.stringContaining('expected: eventflow passwd') })
  })
})

it('eventflow --help and --version end with 0', async () => {
  const { version } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string }
  expect(await finish(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' })
  const help = await finish(['--help'])
  expect(help.code).toBe(0)
  for (const command of ['start', 'queues', 'pub', 'bench']) expect(help.stdout).toContain(command)
  expect((await finish(['start', '--help'])).stdout).toContain('--port')
})
