/** Session: what the broker knows of one client, on a connection or between two of them. */

import { type Grants, NO_GRANTS } from '../core/grants.ts'
import type { KnownTopic } from '../core/known-topic.ts'
import type { Will } from '../core/will.ts'
import type { SessionRecord } from '../store/store.ts'
import type { Carrier } from './carrier.ts'
import type { Inbox } from './inbox.ts'
import type { Outbox } from './outbox.ts'
import { SubscriptionMap } from './subscription-map.ts'

/** Session Expiry Interval of a session that never expires [MQTT 5.0, 3.1.2.11.2]. */
export const NEVER_EXPIRES = 0xffff_ffff

/** By topic, whether the client may publish on it. */
export class PublishRights extends Map<string, boolean> {
  /** The topic that was asked about last, as its messages know it, if it is allowed: most publishers stay on one. */
  allowed: KnownTopic | null = null
}

export class Session {
  readonly clientId: string
  readonly inbox: Inbox
  readonly outbox: Outbox
  readonly subscriptions = new SubscriptionMap()
  username: string | null = null
  /** Whether the user has proved the name, so that the session is this user's. */
  proved = false
  grants: Grants = NO_GRANTS
  protocolVersion = 4
  address = ''
  /** Seconds that the session outlives its connection. */
  expirySeconds = 0
  disconnectedAt = 0
  /** Whether the store knows of it. */
  stored = false
  /** What its connection left to be published, or what the last one left and is not published yet; null: nothing. */
  will: Will | null = null
  /** Decisions of access control about topics this client published on; see kernel/access. */
  publishRights: PublishRights | null = null
  #carrier: Carrier | null = null

  constructor(clientId: string, inbox: Inbox, outbox: Outbox) {
    this.clientId = clientId
    this.inbox = inbox
    this.outbox = outbox
  }

  get connected(): boolean {
    return this.#carrier !== null
  }

  get persistent(): boolean {
    return this.expirySeconds > 0
  }

  get carrier(): Carrier | null {
    return this.#carrier
  }

  /** Set how long the session outlives its connection, in seconds; NEVER_EXPIRES: for ever. */
  setExpiry(seconds: number): void {
    this.expirySeconds = seconds
    this.inbox.persistent = seconds > 0
    this.outbox.persistent = seconds > 0
  }

  /** The client is connected through `carrier`. What it has not settled is sent again at once. */
  attach(carrier: Carrier): void {
    this.#carrier = carrier
    this.protocolVersion = carrier.version
    this.outbox.attach(carrier)
  }

  detach(ended: boolean): void {
    this.#carrier = null
    this.publishRights = null
    this.outbox.detach(ended)
  }

  /** What the store keeps of it; its subscriptions as they are when they are read. */
  record(): SessionRecord {
    const { clientId, username, proved, grants, expirySeconds, disconnectedAt, subscriptions, will } = this
    return {
      clientId,
      username,
      proved,
      grants,
      expirySeconds,
      disconnectedAt,
      will,
      get subscriptions() {
        return [...subscriptions.values()]
      },
    }
  }
}
