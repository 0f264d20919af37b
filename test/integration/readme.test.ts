/** The commands that README.md shows do what they are shown for: each of them runs against a broker. */

import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'
import { startBroker } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { describeWithMosquitto } from '../helpers/mosquitto.ts'
import { until } from '../helpers/until.ts'

const README = new URL('../../README.md', import.meta.url)
const text = existsSync(README) ? readFileSync(README, 'utf8') : null

/** Lines of its shell examples that are commands of mosquitto, in order. */
function commands(): string[] {
  const blocks = [...(text ?? '').matchAll(/^```sh\n(.*?)^```/gms)].map(([, block]) => block!)
  return blocks.flatMap((block) => block.split('\n').filter((line) => /^mosquitto_(pub|sub) /.test(line)))
}

/** A command line as a shell runs it, at this broker. */
function run(line: string, port: number, ...words: string[]) {
  const child = spawn('sh', ['-c', `exec ${line} -p ${port} ${words.join(' ')}`])
  const running = { output: '', code: null as number | null }
  child.stdout.on('data', (chunk) => (running.output += chunk))
  child.stderr.on('data', (chunk) => (running.output += chunk))
  child.once('close', (code) => {
    running.code = code ?? -1
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  return running
}

describeWithMosquitto('README.md', () => {
  it.skipIf(text === null)('has commands to try', () => {
    expect(commands().length).toBeGreaterThan(2)
  })

  const subscriptions = commands().filter((line) => line.startsWith('mosquitto_sub'))
  const publishes = commands().filter((line) => line.startsWith('mosquitto_pub'))

  it.skipIf(text === null).each(subscriptions)('%s', async (line) => {
    const broker = await startBroker()
    const { port } = broker
    const log = listenTo(broker, 'subscription.added')
    // For one message: mosquitto_sub ends well when it has it.
    const running = run(line, port, '-C', '1')
    await until('it is subscribed', () => log.all.length > 0 || running.code !== null)
    const filter = /-t ('[^']+'|\S+)/.exec(line)![1]!.replaceAll("'", '')
    const topic = filter.startsWith('$eventflow') ? 'queue/any' : filter.replace('#', 'some').replace('+', 'some')
    const published = run('mosquitto_pub', port, '-q', '1', '-t', topic, '-m', 'x')
    await until('it has its message', () => running.code !== null && published.code !== null)
    expect({ code: running.code, published: published.code }, running.output).toEqual({ code: 0, published: 0 })
  })

  it.skipIf(text === null).each(publishes)('%s', async (line) => {
    const broker = await startBroker()
    const published = run(line, broker.port)
    await until('it has ended', () => published.code !== null)
    expect(published).toEqual({ output: '', code: 0 })
  })
})
