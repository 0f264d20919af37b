/** The status plugin on a bus and a clock of the test's, and readers whose outbox is a list. */

import { status } from '../../../../plugins/status/index.ts'
import { EventBus } from '../../../../src/core/event-bus.ts'
import { Chronicle } from '../../../../src/kernel/chronicle.ts'
import type { Message, Namespace, PluginContext, SessionView, Subscription } from '../../../../src/plugin.ts'
import { FakeClock } from '../../../helpers/fake-clock.ts'

export class Reader implements SessionView {
  readonly username = null
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
    /** Whether its socket keeps up. */
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

export async function startStatus({ topic = '$eventflow/status', startedAt = 1_700_000_000_000, node = 'n1' } = {}) {
  const faults: unknown[] = []
  const logged: string[] = []
  const onFault = (error: unknown): void => void faults.push(error)
  const bus = new EventBus(onFault)
  const clock = new FakeClock(startedAt)
  const chronicle = new Chronicle({ events: bus, now: clock.now, node, keep: 0, keepMessages: false, onFault })
  const namespaces = new Map<string, Namespace>()
  const log = (_data: object, text: string) => logged.push(text)
  const context = {
    options: { topic },
    clock,
    events: bus,
    chronicle,
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
    /** Resolves when readers have been told of what happened. */
    told: () => new Promise((resolve) => setImmediate(resolve)),
  }
}

function subscriptionOf(filter: string, identifier: number): Subscription {
  return { filter, qos: 1, noLocal: false, retainAsPublished: false, retainHandling: 0, identifier }
}
