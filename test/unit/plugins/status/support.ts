/** The status plugin on a bus and a clock of the test's, and readers whose outbox is a list. */

import { status } from '../../../../plugins/status/index.ts'
import { EventBus } from '../../../../src/core/events.ts'
import type { Message, Namespace, PluginContext, SessionView, Subscription } from '../../../../src/plugin.ts'

export class Reader implements SessionView {
  readonly username = null
  readonly grants = { roles: [], rules: [] }
  readonly protocolVersion = 5
  readonly persistent = true
  readonly address = ''
  readonly clientId: string
  connected = true
  /** What send() answers. */
  accepting = true
  /** Called by every send(). */
  onSend: () => void = () => {}
  readonly sent: Array<{ message: Message; retain: boolean; identifiers: readonly number[] | null }> = []

  constructor(clientId = 'reader') {
    this.clientId = clientId
  }

  readonly outbox = {
    writable: true,
    window: Infinity,
    send: (message: Message, retain: boolean, identifiers: readonly number[] | null) => {
      this.onSend()
      if (this.accepting) this.sent.push({ message, retain, identifiers })
      return this.accepting
    },
    deliver: () => {},
    withdraw: () => {},
  }

  get topics(): string[] {
    return this.sent.map(({ message }) => message.topic)
  }

  get events() {
    return this.sent.map(({ message }) => JSON.parse(message.payload.toString()))
  }

  /** The kinds of events it was told of, in order. */
  get types(): string[] {
    return this.events.map(({ type }) => type)
  }
}

export async function startStatus({ topic = '$eventflow/status', node = 'n1', startedAt = 1_700_000_000_000 } = {}) {
  const faults: unknown[] = []
  const logged: string[] = []
  const bus = new EventBus((error) => faults.push(error))
  const clock = { time: startedAt, now: () => clock.time, after: () => ({ cancel: () => {} }) }
  const namespaces = new Map<string, Namespace>()
  const log = (_data: object, text: string) => logged.push(text)
  const context = {
    options: { topic },
    node,
    clock,
    events: bus,
    log: { debug: log, info: log, warn: log, error: log },
    namespace: (prefix: string, namespace: Namespace) => namespaces.set(prefix, namespace),
  } as unknown as PluginContext<{ topic: string }>
  const instance = await status.setup(context)
  const namespace = namespaces.get('$eventflow/')!
  return {
    bus,
    clock,
    faults,
    logged,
    namespace,
    stop: () => instance?.stop?.(),
    subscribe: (reader: Reader, filter: string, identifier = 0) =>
      namespace.subscribe(reader, subscriptionOf(filter, identifier), false),
    /** Something happens. */
    happen: (queue = 'orders') => bus.emit('queue.created', { queue }),
  }
}

function subscriptionOf(filter: string, identifier: number): Subscription {
  return { filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0, identifier }
}
