/** A client's session as others may see it: namespaces, rules, and those who show sessions to people. */

import type { Grants } from '../core/grants.ts'
import type { OutboxContract } from '../session/outbox-contract.ts'
import type { SubscriptionRecord } from '../store/store.ts'

/** One client's session as a namespace sees it. */
export interface SessionView {
  readonly clientId: string
  readonly username: string | null
  /** Roles and rules of its own, from whoever let it in. */
  readonly grants: Grants
  /** 3 (MQTT 3.1), 4 (3.1.1) or 5, of the present or the last connection. */
  readonly protocolVersion: number
  readonly connected: boolean
  /** Whether the session outlives its connection. */
  readonly persistent: boolean
  /** Remote address of the present or last connection; '' for a session that was not connected since the start. */
  readonly address: string
  readonly outbox: OutboxContract
}

/** A granted subscription. */
export type Subscription = Readonly<SubscriptionRecord>

/** A session as those see it who show sessions to people. */
export interface SessionDetails extends SessionView {
  /** Seconds that it outlives its connection; 0xffffffff: for ever. */
  readonly expirySeconds: number
  /** When its connection ended, milliseconds since the epoch; 0 while it is connected. */
  readonly disconnectedAt: number
  /** By filter. */
  readonly subscriptions: ReadonlyMap<string, Subscription>
  readonly outbox: OutboxContract & {
    /** QoS 1 and 2 messages that were sent and are not settled. */
    readonly inflight: number
    /** Messages that wait or are in flight. */
    readonly size: number
  }
}
