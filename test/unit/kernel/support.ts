/** Parts of the kernel for tests of the others. */

import { Counters } from '../../../src/core/counters.ts'
import type { Namespace, SessionView, Subscription } from '../../../src/kernel/plugin-contract.ts'
import type { Session } from '../../../src/session/session.ts'
import { Sessions } from '../../../src/session/sessions.ts'
import type { Store } from '../../../src/store/store.ts'
import { FakeClock } from '../../helpers/fake-clock.ts'
import { LIMITS } from '../../helpers/limits.ts'
import { memoryStore, recordedEvents } from '../session/support.ts'

export const SILENT = { debug() {}, info() {}, warn() {}, error() {} }

/** Sessions over a store in memory, with a clock and events that can be looked at. */
export async function makeSessions() {
  const store: Store = await memoryStore()
  const clock = new FakeClock()
  const recorded = recordedEvents()
  const { events } = recorded
  const durable = () => store.durable()
  const parts = { store: store.sessions, durable, limits: LIMITS, maxExpirySeconds: 0xffff_ffff, clock, events }
  const sessions = new Sessions({ ...parts, counters: new Counters(), onExpired: () => {} })
  const open = (clientId: string, expirySeconds = 0): Session =>
    sessions.open({ clientId, clean: false, expirySeconds, username: null, address: 'here', will: null }).session
  return { store, clock, sessions, open, ...recorded }
}

export function subscription(filter: string, fields: Partial<Subscription> = {}): Subscription {
  const rest = { qos: 1 as const, noLocal: false, retainAsPublished: false, retainHandling: 0 as const, identifier: 0 }
  return { filter, ...rest, ...fields }
}

/** A namespace that writes down what it is asked for, as `subscribe me a/#`. */
export class RecordingNamespace implements Namespace {
  readonly calls: string[] = []
  sharing = false
  /** What accept() and subscribe() do besides; may throw, or return what they return. */
  onAccept: () => void | Promise<void> = () => {}
  onSubscribe: () => undefined | (() => void) | Promise<undefined | (() => void)> = () => undefined

  accept({ topic }: { topic: string }): void | Promise<void> {
    this.calls.push(`accept ${topic}`)
    return this.onAccept()
  }

  subscribe({ clientId }: SessionView, { filter }: Subscription, restored: boolean) {
    this.calls.push(`${restored ? 'restore' : 'subscribe'} ${clientId} ${filter}`)
    return this.onSubscribe()
  }

  unsubscribe({ clientId }: SessionView, filter: string): void {
    this.calls.push(`unsubscribe ${clientId} ${filter}`)
  }

  attach({ clientId }: SessionView): void {
    this.calls.push(`attach ${clientId}`)
  }

  detach({ clientId }: SessionView, ended: boolean): void {
    this.calls.push(`detach ${clientId}${ended ? ' ended' : ''}`)
  }
}
