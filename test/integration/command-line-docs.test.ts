/** The commands that docs/command-line.md shows do what they are shown for: each runs in a shell, against a broker. */

import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { connectClient } from '../helpers/mqtt-client.ts'
import { until } from '../helpers/until.ts'

const ROOT = join(import.meta.dirname, '../..')
const page = readFileSync(join(ROOT, 'docs/command-line.md'), 'utf8')
const blocks = [...page.matchAll(/^```sh\n(.*?)^```/gms)].map(([, block]) => block!)
const commands = blocks.flatMap((block) => block.trimEnd().split('\n'))

/** A line as bash runs it, where `eventflow` is this program, and knows this broker. */
function run(line: string, { port, httpUrl }: { port: number; httpUrl: string | null }) {
  const program = `${process.execPath} --import ${import.meta.resolve('tsx')} ${join(ROOT, 'src/cli/main.ts')}`
  const words = /\b(pub|sub) /.test(line) ? `"$@" --port ${port}` : '"$@"'
  const script = `eventflow() { ${program} ${words}; }\n${line}`
  const env = { PATH: process.env.PATH, EVENTFLOW_URL: httpUrl! }
  const child = spawn('bash', ['--norc', '-c', script], { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] })
  const running = { output: '', code: null as number | null }
  child.stdout.on('data', (chunk) => (running.output += chunk))
  child.stderr.on('data', (chunk) => (running.output += chunk))
  child.once('close', (code) => {
    running.code = code ?? -1
  })
  onTestFinished(() => {
    if (running.code === null) process.kill(-child.pid!, 'SIGKILL')
  })
  return running
}

/** A broker with all that the page's lines name. */
async function start() {
  const broker = await startBroker({ http: { port: 0 } })
  for (const topic of ['queue/orders', 'queue/orders', 'queue/dead/orders'])
    await broker.publish(topic, 'x', { qos: 1 })
  await connectClient(broker.port, { clientId: 'pump-7' })
  return broker
}

describe('docs/command-line.md', () => {
  const follows = (line: string): boolean => /eventflow (sub|status) /.test(line) && !line.includes('orders --count')

  it('has commands to try', () => {
    expect(commands.length).toBeGreaterThan(15)
    expect(commands.filter(follows).length).toBeGreaterThan(2)
  })

  it.each(commands.filter((line) => !follows(line)))('%s', async (line) => {
    const running = run(line, await start())
    await until('it has ended', () => running.code !== null)
    expect(running.code, running.output).toBe(0)
  })

  it.each(commands.filter(follows))('%s', async (line) => {
    const broker = await start()
    const running = run(line, broker)
    // Until it tells of something, all that it could follow happens again and again.
    for (let n = 0; running.output === '' && running.code === null; n++) {
      await broker.publish('sensors/kitchen', '21.5')
      await broker.publish(`queue/new-${n}`, 'x')
      await (await connectClient(broker.port)).mqtt.endAsync()
    }
    expect(running.output).toMatch(/^sensors\/kitchen 21.5|^\{"specversion|^\d{4}-\d\d-\d\dT/)
  })
})
