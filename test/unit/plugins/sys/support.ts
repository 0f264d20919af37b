/** The plugin on a clock and counters of the test's, and readers whose outbox is a list. */

import { sys } from '../../../../plugins/sys/index.ts'
import { Counters } from '../../../../src/core/counters.ts'
import type { Message, Namespace, PluginContext, SessionView, Subscription } from '../../../../src/plugin.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'

export class Reader implements SessionView {
  readonly clientId = 'reader'
  readonly username = null
  readonly grants = { roles: [], rules: [] }
  readonly protocolVersion = 5
  readonly persistent = true
  readonly address = ''
  connected = true
  /** What send() answers while connected. */
  accepting = true
  sent: Array<{ message: Message; retain: boolean; identifiers: readonly number[] | null }> = []

  readonly outbox = {
    writable: true,
    window: Infinity,
    send: (message: Message, retain: boolean, identifiers: readonly number[] | null) => {
      const taken = this.connected && this.accepting
      if (taken) this.sent.push({ message, retain, identifiers })
      return taken
    },
    deliver: () => {},
    withdraw: () => {},
  }

  /** Values that came since it was last asked, by topic below `$SYS/broker/`. Each topic came once. */
  take(): Record<string, string> {
    const entries = this.sent.map(({ message }) => [message.topic.slice(12), message.payload.toString()] as const)
    this.sent = []
    const values = Object.fromEntries(entries)
    if (Object.keys(values).length !== entries.length) throw new Error(`told twice: ${entries}`)
    return values
  }
}

export function subscriptionOf(filter: string, fields: Partial<Subscription> = {}): Subscription {
  const rest = { qos: 1 as const, noLocal: false, retainAsPublished: false, retainHandling: 0 as const, identifier: 0 }
  return { filter, ...rest, ...fields }
}

export async function startSys({ interval = 10_000 } = {}) {
  const clock = new FakeClock()
  const counters = new Counters()
  const gauges = { sessions: 0, subscriptions: 0, sharedSubscriptions: 0, inflight: 0, clientMemory: 0 }
  const asked = { gauges: 0 }
  const log = { debug() {}, info() {}, warn() {}, error() {} }
  let claimed: Namespace | undefined
  const context = {
    ...{ options: { interval }, clock, counters, log, version: '1.2.3' },
    gauges: () => {
      asked.gauges++
      return { ...gauges }
    },
    namespace: (prefix: string, namespace: Namespace) => {
      if (prefix === '$SYS/') claimed = namespace
    },
  } as unknown as PluginContext<{ interval: number }>
  const instance = await sys.setup(context)
  await instance?.start?.()
  const namespace = claimed!
  /** Subscribe, with what comes after the SUBACK. */
  const subscribe = async (reader: Reader, filter: string, fields: Partial<Subscription> = {}) => {
    const after = await namespace.subscribe(reader, subscriptionOf(filter, fields), false)
    after?.()
  }
  return { clock, counters, gauges, asked, namespace, subscribe, stop: () => instance?.stop?.() }
}
