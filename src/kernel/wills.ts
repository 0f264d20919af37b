/** Wills: published when a connection ends that left one, after its delay, unless the client is back before. */

import type { Clock, Timer } from '../core/clock.ts'
import type { Events } from '../core/events.ts'
import { Message } from '../core/message.ts'
import type { Session } from '../session/session.ts'
import type { Will } from '../wire/will.ts'
import type { Access } from './access.ts'
import type { Intake } from './intake.ts'
import type { Logger } from './plugin-contract.ts'

export interface WillsParts {
  access: Access
  intake: Intake
  clock: Clock
  events: Events
  log: Logger
}

export class Wills {
  readonly #parts: WillsParts
  readonly #pending = new Map<string, { timer: Timer; publish: () => void }>()

  constructor(parts: WillsParts) {
    this.#parts = parts
  }

  /** The connection of `session` ended in a way that asks for its will. `ended`: the session ended with it. */
  due(session: Session, will: Will, ended: boolean): void {
    const publish = (): void => {
      this.#pending.delete(session.clientId)
      this.#publish(session, will)
    }
    if (will.delaySeconds === 0 || ended) {
      publish()
      return
    }
    // The will is sent no later than the session's end [MQTT-3.1.3.2.2].
    const delayMs = Math.min(will.delaySeconds, session.expirySeconds) * 1000
    this.#pending.set(session.clientId, { timer: this.#parts.clock.after(delayMs, publish), publish })
  }

  /** The client is back. Its will is cancelled when its session goes on, else it is due now [MQTT-3.1.3-9]. */
  returned(clientId: string, present: boolean): void {
    const pending = this.#pending.get(clientId)
    if (pending === undefined) return
    this.#pending.delete(clientId)
    pending.timer.cancel()
    if (!present) pending.publish()
  }

  stop(): void {
    for (const { timer } of this.#pending.values()) timer.cancel()
    this.#pending.clear()
  }

  #publish(session: Session, will: Will): void {
    const { access, intake, clock, events, log } = this.#parts
    const { topic, payload, qos, retain, properties } = will
    const receivedAt = clock.now()
    const expiresAt = will.expirySeconds >= 0 ? receivedAt + will.expirySeconds * 1000 : 0
    const from = session.clientId
    const message = Message.of({ topic, payload, qos, retain, properties, from, receivedAt, expiresAt })
    const refused = (error: unknown): void => log.warn({ clientId: from, topic, error }, 'a will was not published')
    try {
      intake.publish(session, message)?.catch(refused)
      events.emit('message.will-published', { clientId: from, topic })
    } catch (error) {
      refused(error)
    }
    if (!session.connected) access.forget(session)
  }
}
