/** Brokers for tests: one in this process on a free port, or one in a process of its own that can be killed. */

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import type { Events } from '../../src/core/events.ts'
import { Eventflow, type EventflowOptions } from '../../src/eventflow.ts'

type ConfigInput = NonNullable<EventflowOptions['config']>

/** A broker in this process, on memory unless the configuration says otherwise; stopped when the test ends. */
export async function startBroker(config: ConfigInput = {}, options: Omit<EventflowOptions, 'config'> = {}) {
  const broker = new Eventflow({
    config: { listeners: { tcp: { port: 0 } }, store: { kind: 'memory' }, ...config },
    ...options,
  })
  await broker.start()
  onTestFinished(() => broker.stop())
  return Object.assign(broker, { port: broker.address.port })
}

export interface SharedBroker {
  readonly port: number
  readonly events: Events
}

/** One broker on memory for all tests of a file, where they do not disturb each other; stopped after the last. */
export function sharedBroker(config: ConfigInput = {}, options: Omit<EventflowOptions, 'config'> = {}): SharedBroker {
  const broker = new Eventflow({
    config: { listeners: { tcp: { port: 0 } }, store: { kind: 'memory' }, ...config },
    ...options,
  })
  beforeAll(() => broker.start())
  afterAll(() => broker.stop())
  return {
    get port() {
      return broker.address.port
    },
    events: broker.events,
  }
}

/** A folder that is gone when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'eventflow-test-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

export interface BrokerProcess {
  readonly port: number
  readonly process: ChildProcess
  /** All that it wrote to standard output and error. */
  output(): string
  /** Send a signal and wait for the end; resolves with exit code and signal. */
  end(signal: NodeJS.Signals): Promise<{ code: number | null; signal: NodeJS.Signals | null }>
}

const ROOT = join(import.meta.dirname, '../..')

/**
 * `eventflow start` in a process of its own, listening on a free port (or the one given) with its data in `folder`.
 * @param config written to a file as JSON, which is YAML
 */
export async function startProcess(folder: string, config: ConfigInput = {}, port = 0): Promise<BrokerProcess> {
  const file = join(folder, 'eventflow.yaml')
  await writeFile(file, JSON.stringify(config))
  const words = ['start', '--config', file, '--port', String(port), '--data', join(folder, 'data')]
  const child = spawn(process.execPath, ['--import', 'tsx', join(ROOT, 'src/cli/main.ts'), ...words], { cwd: ROOT })
  let output = ''
  const ended = new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve) =>
    child.once('exit', (code, signal) => resolve({ code, signal })),
  )
  const end = (signal: NodeJS.Signals) => {
    child.kill(signal)
    return ended
  }
  onTestFinished(async () => void (await end('SIGKILL')))
  const listening = await new Promise<number>((resolve, reject) => {
    const read = (chunk: Buffer): void => {
      output += chunk.toString()
      for (const line of output.split('\n')) {
        const found = /"listener":"tcp".*"port":(\d+)/.exec(line)
        if (found) resolve(Number(found[1]))
      }
    }
    child.stdout.on('data', read)
    child.stderr.on('data', read)
    void ended.then(({ code }) => reject(new Error(`the broker ended with ${code}: ${output}`)))
  })
  return { port: listening, process: child, output: () => output, end }
}
