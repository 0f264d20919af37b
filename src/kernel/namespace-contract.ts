/** What gives the messages of a part of the topic space a meaning: publish/subscribe, queues, status. */

import type { Message } from '../core/message.ts'
import type { ResumingOutbox } from '../session/outbox-contract.ts'
import type { SessionView, Subscription } from './session-view.ts'

/** What `subscribe` may return: run after the client has its SUBACK. The place to send what was waiting. */
export type AfterGrant = () => void

/** Owner of a part of the topic space. */
export interface Namespace {
  /**
   * Whether it knows groups, and wants the filter of a shared subscription as it is: `$share/<group>/<filter>`. To others
   * that is a subscription on the filter behind the group, and a session still has one at most on each filter.
   */
  readonly sharing?: boolean
  /**
   * Take responsibility for a message. The publisher is acknowledged when this returns or resolves, so resolve when the
   * message is safe; return the store's own `durable()` promise where that is all, for it is shared. Throw or reject
   * with a Refusal to refuse. Set `message.unmatched` before returning when nobody is subscribed: a publisher of MQTT 5.0
   * is told 0x10 then.
   */
  accept(message: Message): void | Promise<void>
  /**
   * Of a message that is to come later, by way of another namespace: throw a Refusal when it will never be accepted, whatever
   * happens until then. Without effects. Its publisher is acknowledged now, and cannot be told then.
   */
  check?(message: Message): void
  /**
   * Of topics that begin with `$`: the topic that access rules are asked about when a client publishes on `topic`; left
   * out, that very topic. Throw a Refusal when it can be none.
   */
  accessTopic?(topic: string): string
  /**
   * Begin a subscription, or replace the one this session has on the same filter. `restored` says that it was read
   * from the store, or that its session has come back: nobody asked for retained messages now. Throw or reject with a
   * Refusal to refuse.
   */
  subscribe(
    session: SessionView,
    subscription: Subscription,
    restored: boolean,
  ): undefined | AfterGrant | Promise<undefined | AfterGrant>
  unsubscribe(session: SessionView, filter: string): void
  /**
   * At the start of the broker, when the session's subscriptions were restored: go on with what was on its way to the client at
   * QoS 2 when the broker ended, as far as it was handed over with a reference. Called only for sessions that have a subscription
   * in this namespace. The broker does not start when this rejects.
   */
  resume?(session: SessionView, outbox: ResumingOutbox): void | Promise<void>
  /**
   * The session's connection is up (again), its CONNACK sent, its unacknowledged messages resent. Called only for
   * sessions that have a subscription in this namespace.
   */
  attach?(session: SessionView): void
  /**
   * The session's connection is gone; `ended` says whether the session is too, with its subscriptions. What was handed
   * to its outbox has been settled as lost by then, but for what a persistent session keeps. Called only for sessions
   * that have a subscription in this namespace.
   */
  detach?(session: SessionView, ended: boolean): void
}
