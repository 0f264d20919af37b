/** `eventflow bench` as it is called: each scenario, small, on a broker in this process; and on brokers that are at fault. */

import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import type { Packet } from 'mqtt-packet'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createFile } from '../../plugins/access/password-file.ts'
import { SCENARIOS } from '../../src/bench/scenarios.ts'
import { runBench } from '../../src/cli/commands/bench.ts'
import type { EventMap } from '../../src/core/events.ts'
import { startBroker, temporaryFolder } from '../helpers/broker.ts'
import { listenTo } from '../helpers/events.ts'
import { type Client, startFakeBroker } from '../helpers/fake-broker.ts'
import { connectClient } from '../helpers/mqtt-client.ts'

interface Broker {
  name: string
  figures: Record<string, { median: number; min: number; max: number }>
  runs: Array<{ messages: number; lost: number; duplicates: number; problems: string[] }>
  problems: string[]
}

/** Small, one run, and no patience; what is given again later counts. */
const SMALL = ['--runs', '1', '--messages', '400', '--timeout', '5']

async function bench(...words: Array<string | number>) {
  let stdout = ''
  let stderr = ''
  const code = await runBench(words.map(String), {
    out: { write: (text) => (stdout += text) },
    err: { write: (text) => (stderr += text) },
  })
  return { code, stdout, stderr }
}

/** With --json; by scenario what the brokers did. */
async function results(...words: Array<string | number>) {
  const { code, stdout, stderr } = await bench(...SMALL, '--json', ...words)
  expect(stderr).toBe('')
  const { scenarios, brokers } = JSON.parse(stdout) as {
    brokers: string[]
    scenarios: Array<{
      name: string
      brokers: Array<Broker | null>
      ratio: number | null
      notes: string[]
      syncUs: number
    }>
  }
  return { code, brokers, scenarios, of: (name: string) => scenarios.find((scenario) => scenario.name === name)! }
}

describe('eventflow bench on Eventflow', () => {
  const direct = [...SCENARIOS.values()].filter(({ method }) => method === 'throughput')

  it.each(direct.map(({ name, route, subscribers }) => ({ name, copies: route === 'fan-out' ? subscribers : 1 })))(
    '$name: each message reaches its readers once, and its latency is known',
    async ({ name, copies }) => {
      const { port } = await startBroker()
      const { code, of } = await results('--port', port, '--subscriptions', 200, name)
      const broker = of(name).brokers[0]!
      expect(broker.problems).toEqual([])
      const sent =
        copies === 1 ? Math.floor(400 / SCENARIOS.get(name)!.publishers) * SCENARIOS.get(name)!.publishers : 400
      expect(broker.runs).toMatchObject([{ messages: sent * copies, lost: 0, duplicates: 0 }])
      const { rate, p50, p99, max } = broker.figures
      expect(rate!.median).toBeGreaterThan(0)
      expect(p50!.median).toBeLessThanOrEqual(p99!.median)
      expect(p99!.median).toBeLessThanOrEqual(max!.median)
      expect(code).toBe(0)
    },
  )

  it('latency: keeps to its rate', async () => {
    const { port } = await startBroker()
    const { code, of } = await results('--port', port, '--rate', 1000, 'latency')
    const { runs, figures } = of('latency').brokers[0]!
    expect(runs).toMatchObject([{ messages: 400, lost: 0, duplicates: 0 }])
    // The last of 400 is due after 0.399 s: never faster than that.
    expect(figures.rate!.median).toBeLessThanOrEqual(400 / 0.399)
    expect(code).toBe(0)
  })

  it('backlog: stores all of it before anyone consumes, then consumes it', async () => {
    const broker = await startBroker()
    const log = listenTo(broker, 'queue.emptied', 'queue.consumer-added', 'queue.enqueued')
    const { code, of } = await results('--port', broker.port, '--backlog', 300, 'backlog')
    const { runs, figures } = of('backlog').brokers[0]!
    expect(runs).toMatchObject([{ messages: 300, lost: 0, duplicates: 0 }])
    expect(figures.stored!.median).toBeGreaterThan(0)
    expect(code).toBe(0)
    // queue-qos1, with which it is compared, went before: four consumers, then the backlog, then four again.
    const types = log.all.map(({ type }) => type)
    const added = types.flatMap((type, n) => (type === 'queue.consumer-added' ? [n] : []))
    expect(added).toHaveLength(8)
    expect(types.slice(added[3]! + 1, added[4]).filter((type) => type === 'queue.enqueued')).toHaveLength(700)
  })

  it('idle: measures the memory of the process that --pid names', async () => {
    const { port } = await startBroker()
    const { code, of } = await results('--port', port, '--pid', process.pid, '--connections', 150, 'idle')
    expect(of('idle').brokers[0]!.problems).toEqual([])
    expect(of('idle').brokers[0]!.figures.memory!.median).toBeTypeOf('number')
    expect(code).toBe(0)
  })

  it('passes over what an earlier run has left in the queue', async () => {
    const { port } = await startBroker()
    const earlier = await connectClient(port)
    for (const left of ['some', 'jobs']) await earlier.mqtt.publishAsync('queue/bench', left, { qos: 1 })
    const { code, of } = await results('--port', port, 'queue-qos1')
    expect(of('queue-qos1').brokers[0]!.runs).toMatchObject([{ messages: 400, lost: 0, duplicates: 0 }])
    expect(of('queue-qos1').notes).toContainEqual(expect.stringContaining('2 messages of an earlier run'))
    expect(code).toBe(0)
  })

  it('queue-latency is shown beside the fdatasync of a disk', async () => {
    const { port } = await startBroker()
    const { of } = await results('--port', port, '--disk', await temporaryFolder(), 'queue-latency')
    expect(of('queue-latency').syncUs).toBeGreaterThan(0)
    expect(of('queue-latency').notes.join()).toMatch(/fdatasync of this disk: \d+\.\d+ ms/)
  })

  it('runs two brokers in turn, and compares them', async () => {
    const [first, second] = [await startBroker(), await startBroker()]
    const order: string[] = []
    for (const [name, { events }] of Object.entries({ first, second })) {
      const connected = (_type: string, data: unknown): void => {
        if (/-s0$/.test((data as EventMap['client.connected']).clientId)) order.push(name)
      }
      onTestFinished(events.listen(['client.connected'], connected))
    }
    const words = ['--port', first.port, '--vs', `127.0.0.1:${second.port}`, '--runs', 2, '--vs-queue', '--name', 'One']
    const { code, of, brokers } = await results(...words, 'pair-qos1', 'queue-qos1')
    expect(order).toEqual(['first', 'second', 'first', 'second', 'first', 'second', 'first', 'second'])
    expect(brokers[0]).toBe('One')
    expect(of('pair-qos1').brokers.map((broker) => broker!.runs.length)).toEqual([2, 2])
    const [one, two] = of('queue-qos1').brokers.map((broker) => broker!.figures.rate!.median)
    expect(of('queue-qos1').ratio).toBeCloseTo(one! / two!)
    expect(code).toBe(0)
  })

  it('has someone read along, on the first broker', async () => {
    const broker = await startBroker()
    const log = listenTo(broker, 'subscription.added')
    const { code } = await results('--port', broker.port, '--reader', '$eventflow/events/client/+', 'pair-qos0')
    expect(JSON.stringify(log.all)).toContain('$eventflow/events/client/+')
    expect(code).toBe(0)
  })

  it('measures what access rules and a reader cost, against a broker without them', async () => {
    const passwordFile = join(await temporaryFolder(), 'passwords')
    await createFile(passwordFile, { user: 'alice', password: 'hers', iterations: 10 })
    const topics = ['bench/#', 'queue/bench', '$eventflow/#']
    const rules = [{ allow: ['publish' as const, 'subscribe' as const], user: 'alice', topics }]
    const [first, second] = [await startBroker({ access: { passwordFile, rules } }), await startBroker()]
    const words = ['--port', first.port, '--user', 'alice', '--password', 'hers', '--vs', `localhost:${second.port}`]
    const { code, of } = await results(
      ...words,
      '--vs-queue',
      '--reader',
      '$eventflow/events/client/+',
      'pair-qos0',
      'queue-qos1',
    )
    expect(of('pair-qos0').brokers.map((broker) => broker!.problems)).toEqual([[], []])
    expect(of('pair-qos0').ratio).toBeGreaterThan(0)
    expect(code).toBe(0)
    const wrong = await bench('--port', first.port, '--user', 'alice', '--password', 'his')
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringMatching(/refused the connection with 0x04; --user/) })
  })

  it('prints a table, and writes a page with figures, machine and commands', async () => {
    const { port } = await startBroker()
    const file = join(await temporaryFolder(), 'page.md')
    const words = ['--port', port, '--name', 'Mine', '--user', 'me', '--password', 'hush', '--write', file]
    const { code, stdout, stderr } = await bench(...SMALL, ...words, 'pair-qos0', 'latency', '--rate', 2000)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(/^scenario +broker +msg\/s .*\npair-qos0 +Mine +[\d,]+k? /)
    expect(stdout).toMatch(/^latency +Mine( +[\d.,]+){5}/m)
    const page = await readFile(file, 'utf8')
    expect(page).toMatch(/^# Benchmarks\n/)
    expect(page).toMatch(/^\| pair 10 to 10, QoS 0 \| [\d,]+k? \| [\d.]+ \/ [\d.]+ \|/m)
    expect(page).toContain(`Node.js ${process.versions.node}`)
    expect(page).toContain(`--port ${port}`)
    expect(page).toContain('2,000 messages a second')
    expect(page).not.toContain('hush')
  })
})

describe('eventflow bench on a broker that is at fault', () => {
  it('finds a lost message', async () => {
    const { port } = await startFakeBroker({ onPublish: (count, deliver) => count !== 200 && deliver() })
    const { code, of } = await results('--port', port, '--timeout', 1, 'pair-qos1')
    const broker = of('pair-qos1').brokers[0]!
    expect(broker.runs).toMatchObject([{ messages: 399, lost: 1, duplicates: 0 }])
    expect(of('pair-qos1').notes).toContainEqual(expect.stringMatching(/FAILED in run 1: 1 of 400 messages lost/))
    expect(code).toBe(1)
  })

  it.each([{ which: 200 }, { which: 400 }])('finds message $which of 400 when it comes twice', async ({ which }) => {
    const twice = (count: number, deliver: () => void): void => {
      deliver()
      if (count === which) deliver()
    }
    const { port } = await startFakeBroker({ onPublish: twice })
    const { code, of } = await results('--port', port, 'pair-qos0')
    expect(of('pair-qos0').brokers[0]!.runs).toMatchObject([{ messages: 400, lost: 0, duplicates: 1 }])
    expect(code).toBe(1)
  })

  it('finds both in the text table, and makes no further run', async () => {
    const { port } = await startFakeBroker({ onPublish: (count, deliver) => count > 1 && deliver() })
    const { code, stdout } = await bench(...SMALL, '--runs', 3, '--timeout', 1, '--port', port, 'pair-qos0')
    expect(stdout).toMatch(/pair-qos0: 127.0.0.1:\d+: FAILED in run 1: 1 of 400 messages lost/)
    expect(stdout).not.toContain('run 2')
    expect(code).toBe(1)
  })

  it('counts the latency of messages that were due while the broker stood still', async () => {
    let held: Array<() => void> | null = []
    const { port } = await startFakeBroker({
      onPublish(count, deliver) {
        if (held === null) return deliver()
        held.push(deliver)
        if (count > 1) return
        setTimeout(() => {
          for (const go of held!) go()
          held = null
        }, 300)
      },
    })
    const { of } = await results('--port', port, '--rate', 1000, 'latency')
    // 300 of the 400 were due in those 300 ms: half of all waited 100 ms or longer, though only the first was "slow".
    const { p50, max } = of('latency').brokers[0]!.figures
    expect(p50!.median).toBeGreaterThan(95_000)
    expect(max!.median).toBeGreaterThan(295_000)
  })

  it('keeps to the Receive Maximum of an MQTT 5 broker', async () => {
    const unacknowledged = new Map<Client, number>()
    let most = 0
    const { port } = await startFakeBroker({
      connack: { properties: { maximumQoS: 1, reasonString: 'words', receiveMaximum: 3 } },
      onPacket(packet: Packet, client) {
        if (packet.cmd !== 'publish') return
        // Counted to the end of the turn, when its acknowledgement has gone out.
        const count = (unacknowledged.get(client) ?? 0) + 1
        unacknowledged.set(client, count)
        most = Math.max(most, count)
        setImmediate(() => unacknowledged.set(client, 0))
      },
    })
    const { code, of } = await results('--port', port, '--messages', 100, 'pair-v5')
    expect(of('pair-v5').brokers[0]!.runs).toMatchObject([{ messages: 100, lost: 0 }])
    expect(of('pair-v5').notes).toContainEqual(expect.stringContaining('only 3 unacknowledged'))
    expect(most).toBe(3)
    expect(code).toBe(0)
  })

  it.each([
    [{ suback: 0x80 }, 'pair-qos0', /subscriber \d: the broker refused a subscription with 0x80/],
    [{ puback: 0x97 }, 'pair-v5', /publisher \d: the broker refused a message with 0x97/],
  ])('says what it refused: %j', async (options, scenario, expected) => {
    const { port } = await startFakeBroker(options)
    const { code, of } = await results('--port', port, scenario)
    expect(of(scenario).brokers[0]!.problems).toEqual([expect.stringMatching(expected)])
    expect(code).toBe(1)
  })

  it('says that a broker hung up', async () => {
    const hangUp = (packet: Packet, { socket }: Client): void => void (packet.cmd === 'publish' && socket.end())
    const { port } = await startFakeBroker({ onPacket: hangUp })
    const { code, of } = await results('--port', port, 'pair-qos1')
    expect(of('pair-qos1').brokers[0]!.problems).toEqual([
      expect.stringMatching(/publisher \d: the (broker|connection)/),
    ])
    expect(code).toBe(1)
  })

  it('says that it was not let in', async () => {
    const { port } = await startFakeBroker({ connack: { returnCode: 5, reasonCode: 0x87 } })
    const { code, stderr } = await bench('--port', port)
    expect(stderr).toMatch(/^eventflow bench: the broker refused the connection with 0x05; --user and --password .*\n$/)
    expect(code).toBe(1)
  })

  it('says that nobody listens', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    server.close()
    await once(server, 'close')
    const { code, stdout, stderr } = await bench('--port', port)
    const line = `eventflow bench: cannot connect to 127.0.0.1:${port} (ECONNREFUSED); expected an MQTT broker there\n`
    expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: line })
  })

  it('says that --pid names no process', async () => {
    const { port } = await startFakeBroker()
    const { code, of } = await results('--port', port, '--pid', 4194304, 'pair-qos0')
    expect(of('pair-qos0').brokers[0]!.problems).toEqual([expect.stringContaining("expected the broker's process id")])
    expect(code).toBe(1)
  })
})

describe('eventflow bench wrongly called', () => {
  it.each([
    [['pears'], /there is no scenario 'pears'; expected some of idle, pair-qos0, /],
    [['--prot', '1'], /--prot/],
    [['--port', '0'], /--port takes a whole number from 1 to 65535, found '0'/],
    [['--runs', 'x'], /--runs takes a whole number from 1 to 1000, found 'x'/],
    [['--seconds', '-1'], /--seconds/],
    [['--seconds', '1', '--messages', '1'], /--seconds goes without --messages/],
    [['--vs', 'there'], /--vs takes HOST:PORT, found 'there'/],
    [['--vs-pid', '1'], /--vs-pid goes with --vs HOST:PORT/],
    [['--password', 'x'], /a password goes with a user name/],
    [['idle'], /idle needs --pid/],
    [['backlog', '--share'], /backlog goes without --share/],
  ])('%j: says what was expected, and ends with 2', async (words, expected) => {
    const { code, stdout, stderr } = await bench(...words)
    expect(stderr).toMatch(expected)
    expect(stderr).toMatch(/; expected: eventflow bench \[SCENARIO\.\.\.\] .*\n$/)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  })
})
