/** The log of `eventflow start`: in a pipe, on a terminal, in a file. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { openLog } from '../../../src/cli/log.ts'
import { resolveConfig } from '../../../src/config/load.ts'
import { temporaryFolder } from '../../helpers/broker.ts'
import { connectClient } from '../../helpers/mqtt-client.ts'
import { until as untilSoon } from '../../helpers/until.ts'

const ROOT = join(import.meta.dirname, '../../..')
const MAIN = join(ROOT, 'src/cli/main.ts')
/** A process takes its time to start where others are at work. */
const until = (what: string, condition: () => boolean) => untilSoon(what, condition, 60_000)
const WORDS = ['--import', 'tsx', MAIN, 'start', '--port', '0', '--store', 'memory', '--config']

interface Running {
  child: ChildProcess
  output(): string
  ended: Promise<number | null>
}

async function configured(config: object): Promise<string> {
  const file = join(await temporaryFolder(), 'eventflow.yaml')
  await writeFile(file, JSON.stringify(config))
  return file
}

function run(command: string, words: readonly string[], env = {}, end: NodeJS.Signals = 'SIGKILL'): Running {
  const child = spawn(command, words, { cwd: ROOT, env: { ...process.env, ...env } })
  let output = ''
  const read = (chunk: Buffer): void => {
    output += chunk
  }
  child.stdout!.on('data', read)
  child.stderr!.on('data', read)
  const ended = once(child, 'close').then(([code]) => code as number | null)
  onTestFinished(async () => {
    child.kill(end)
    await ended
  })
  return { child, output: () => output, ended }
}

async function start(config: object, env = {}): Promise<Running> {
  return run(process.execPath, [...WORDS, await configured(config)], env)
}

/** The same on a terminal, which `script` makes. */
async function startOnTerminal(config: object, env: object): Promise<Running> {
  const file = await configured(config)
  const command = [process.execPath, ...WORDS, file].map((word) => `'${word}'`).join(' ')
  // Killed, it would leave the broker behind; asked to end, it asks the broker.
  return run('script', ['-qefc', `exec ${command}`, '/dev/null'], { TERM: 'xterm', ...env }, 'SIGTERM')
}

const linesOf = (text: string) => text.trimEnd().split('\n')
const parsed = (text: string) => linesOf(text).map((line) => JSON.parse(line) as Record<string, unknown>)

it('in a pipe every line is JSON, with the time, the level and where clients connect', async () => {
  const { child, output, ended } = await start({})
  await until('it listens', () => output().includes('listens on mqtt'))
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
  const lines = parsed(output())
  expect(lines).toContainEqual(
    expect.objectContaining({ level: 'info', listener: 'tcp', node: 'eventflow', time: expect.stringMatching(/Z$/) }),
  )
  expect(lines.at(-1)).toMatchObject({ msg: 'stopped' })
})

it('a client that is not let in has a line, without its password', async () => {
  const { output } = await start({ limits: { maxConnections: 1 } })
  await until('it listens', () => output().includes('"listener":"tcp"'))
  const port = Number(/"listener":"tcp".*"port":(\d+)/.exec(output())![1])
  await connectClient(port)
  await expect(connectClient(port, { clientId: 'second', username: 'ada', password: 'hidden' })).rejects.toThrow()
  await until('it is told', () => output().includes('client.connecting-refused'))
  const line = parsed(output()).find(({ event }) => event === 'client.connecting-refused')
  expect(line).toMatchObject({ level: 'warn', reason: 'limit', msg: 'a client was not let in' })
  expect(output()).not.toContain('hidden')
})

const COLOUR = '\u001b['

it.each([
  ['in colour', {}, true],
  ['without colour where that is asked for', { NO_COLOR: '1' }, false],
])('on a terminal a line is for people, %s', async (_how, env, isColoured) => {
  const { output } = await startOnTerminal({}, { NO_COLOR: '', ...env })
  await until('it listens', () => output().includes('listens on mqtt'))
  const line = linesOf(output()).find((text) => text.includes('listens on mqtt'))!
  expect(() => JSON.parse(line)).toThrow()
  expect(line).toMatch(/INFO/)
  expect(line.includes(COLOUR)).toBe(isColoured)
})

it('the configuration can ask for JSON on a terminal, and for lines for people in a pipe', async () => {
  const json = await startOnTerminal({ log: { format: 'json' } }, {})
  const pretty = await start({ log: { format: 'pretty' } })
  for (const { output } of [json, pretty]) await until('it listens', () => output().includes('listens on mqtt'))
  expect(parsed(json.output())).toContainEqual(expect.objectContaining({ listener: 'tcp' }))
  expect(pretty.output()).toMatch(/INFO: Eventflow .* listens on mqtt/)
  expect(pretty.output()).not.toContain(COLOUR)
})

it('in a file all lines are JSON, and standard output has none', async () => {
  const path = join(await temporaryFolder(), 'down', 'eventflow.log')
  const { child, output, ended } = await start({ log: { file: { path } } })
  await until('it listens', () => existsSync(path) && readFileSync(path, 'utf8').includes('listens on mqtt'))
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
  expect(output()).toBe('')
  const lines = parsed(readFileSync(path, 'utf8'))
  expect(lines).toContainEqual(expect.objectContaining({ listener: 'tcp' }))
  expect(lines.at(-1)).toMatchObject({ msg: 'stopped' })
})

async function openFile(file: object) {
  const path = join(await temporaryFolder(), 'eventflow.log')
  const log = await openLog(resolveConfig({ log: { file: { path, ...file } } }), { env: {} })
  onTestFinished(() => log.close())
  return { path, log }
}

it('a full file is renamed, no line is lost or cut, and so many are kept', async () => {
  const { path, log } = await openFile({ maxSize: 4_096, maxFiles: 1_000 })
  for (let i = 0; i < 2_000; i++) {
    log.logger.info({ i }, 'a line')
    await new Promise(setImmediate)
  }
  await log.close()
  const names = (await readdir(dirname(path))).sort((a, b) => numberOf(b) - numberOf(a))
  expect(names.length).toBeGreaterThan(2)
  const texts = names.map((name) => readFileSync(join(dirname(path), name), 'utf8'))
  for (const text of texts.slice(0, -1)) expect(text.endsWith('\n')).toBe(true)
  expect(parsed(texts.join('')).map(({ i }) => i)).toEqual(Array.from({ length: 2_000 }, (_, i) => i))
})

/** Of `eventflow.log.3`: 3; of the file itself: 0. */
function numberOf(name: string): number {
  return Number(/\d+$/.exec(name)?.[0] ?? 0)
}

it('the last line before the process ends at once is in the file', async () => {
  const { path, log } = await openFile({})
  log.logger.fatal({ error: new Error('the cause') }, 'a fault that nobody caught')
  log.writeNow()
  expect(parsed(readFileSync(path, 'utf8'))).toMatchObject([{ level: 'fatal', error: { message: 'the cause' } }])
})

it('a file that cannot be written is told before anything else is done', async () => {
  const path = join(await temporaryFolder(), 'eventflow.log')
  await mkdir(path)
  const { output, ended } = await start({ log: { file: { path } } })
  expect(await ended).toBe(1)
  expect(linesOf(output())).toEqual([expect.stringMatching(/^eventflow start: cannot write .*LOG_FILE_FAILED\)$/)])
})
