/** A session as publish/subscribe sees it: its outbox also keeps messages, and borrows those of groups. */

import type { Message, QoS } from '../core/message.ts'
import type { SessionView, Subscription } from '../kernel/plugin-contract.ts'
import type { Enqueued } from '../session/outbox.ts'
import type { BorrowingOutbox, OutboxContract } from '../session/outbox-contract.ts'

export interface Subscriber extends SessionView {
  readonly subscriptions: ReadonlyMap<string, Subscription>
  readonly outbox: OutboxContract &
    BorrowingOutbox & {
      /** Hand over a QoS 1 or 2 message. 'stored': safe once the store is durable. */
      enqueue(message: Message, qos: QoS, retain: boolean, identifiers: readonly number[] | null): Enqueued
      /** Whether more can be given to it that need not come now: nothing is dropped, and little waits already. */
      hasSpareRoom(qos: QoS): boolean
      /** Called when there may be spare room again; null: nobody wants to hear of it. */
      onSpareRoom: (() => void) | null
    }
}
