/**
 * Wills: published when a connection ends that left one, after its delay, unless the client is back before.
 *
 * A will is part of its session's record until it is published, and taken out of it in the batch that the message is in: so
 * it is said once, whenever the broker is killed. A connection that there was when that happened has ended with it.
 */

import type { Clock, Timer } from '../core/clock.ts'
import type { Events } from '../core/events.ts'
import { Message } from '../core/message.ts'
import { asRefusal, Refusal } from '../core/reason-codes.ts'
import type { Will } from '../core/will.ts'
import type { Session } from '../session/session.ts'
import type { Access } from './access.ts'
import type { Intake } from './intake.ts'
import type { Logger } from './plugin-contract.ts'

export interface WillsParts {
  access: Access
  intake: Intake
  clock: Clock
  events: Events
  log: Logger
  /** Write the session's record, if the session still is. */
  save: (session: Session) => void
}

export class Wills {
  readonly #parts: WillsParts
  readonly #pending = new Map<string, Timer>()

  constructor(parts: WillsParts) {
    this.#parts = parts
  }

  /** The connection of `session` has ended, the session goes on: its will is published when its delay is over. */
  due(session: Session): void {
    const { will, clientId, disconnectedAt } = session
    if (will === null) return
    const { clock } = this.#parts
    const remainingMs = disconnectedAt + will.delaySeconds * 1000 - clock.now()
    if (remainingMs <= 0) this.#publish(session, will)
    else
      this.#pending.set(
        clientId,
        clock.after(remainingMs, () => this.#publish(session, will)),
      )
  }

  /** The session has ended: its will is published now, whatever is left of the delay [MQTT-3.1.2-8]. */
  ended(session: Session): void {
    if (session.will !== null) this.#publish(session, session.will)
  }

  /** The client is back in its session: the will of its last connection is not published [MQTT-3.1.3-9]. */
  returned({ clientId }: Session): void {
    this.#pending.get(clientId)?.cancel()
    this.#pending.delete(clientId)
  }

  /** Wills that wait are published after a restart. */
  stop(): void {
    for (const timer of this.#pending.values()) timer.cancel()
    this.#pending.clear()
  }

  #publish(session: Session, will: Will): void {
    const { access, intake, events, save } = this.#parts
    const { clientId } = session
    this.returned(session)
    session.will = null // [MQTT-3.1.2-10]
    save(session)
    const { topic } = will
    try {
      intake.publish(session, this.#messageOf(will, clientId))?.catch((error) => this.#refused(clientId, topic, error))
      events.emit('message.will-published', { clientId, topic })
    } catch (error) {
      this.#refused(clientId, topic, error)
    }
    if (!session.connected) access.forget(session)
  }

  #messageOf(will: Will, from: string): Message {
    const { topic, payload, qos, retain, properties, expirySeconds } = will
    const receivedAt = this.#parts.clock.now()
    const expiresAt = expirySeconds >= 0 ? receivedAt + expirySeconds * 1000 : 0
    return Message.of({ topic, payload, qos, retain, properties, from, receivedAt, expiresAt })
  }

  /** There is nobody left to be told: an event for what is not allowed, and the log for what went wrong. */
  #refused(clientId: string, topic: string, error: unknown): void {
    const { code: reasonCode, message: reason } = asRefusal(error)
    this.#parts.events.emit('message.refused', { clientId, topic, reasonCode, reason })
    if (!(error instanceof Refusal)) this.#parts.log.warn({ clientId, topic, error }, 'a will was not published')
  }
}
