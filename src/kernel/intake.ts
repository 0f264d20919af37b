/** The one way in for every message: may the client publish it, whose topic is it, let the owner accept it. */

import type { Events } from '../core/events.ts'
import type { Message } from '../core/message.ts'
import { ReasonCode, Refusal } from '../core/reason-codes.ts'
import { DOLLAR } from '../core/topics.ts'
import type { Session } from '../session/session.ts'
import type { Access } from './access.ts'
import { tellDenied } from './denial.ts'
import type { Namespaces } from './namespaces.ts'
import type { Namespace } from './plugin-contract.ts'

/** Topics that the broker alone publishes on. */
const RESERVED = ['$SYS/', '$eventflow/', '$share/']

export class Intake {
  readonly #access: Access
  readonly #namespaces: Namespaces
  readonly #events: Events

  constructor(parts: { access: Access; namespaces: Namespaces; events: Events }) {
    this.#access = parts.access
    this.#namespaces = parts.namespaces
    this.#events = parts.events
  }

  /**
   * A message from a client. When it returns, or what it returns resolves, the message may be acknowledged. Throws, or
   * rejects with, a Refusal: 0x87 when the client may not publish there, else what the topic's owner says.
   */
  publish(session: Session, message: Message): void | Promise<void> {
    const owner = ownerKnown(message)
    if (owner !== null) {
      if (!this.#access.mayPublish(session, message.topic, message.known)) throw this.#denied(session, message)
      return this.#handOver(message, owner)
    }
    const named = this.#canonical(message)
    if (!this.#mayPublish(session, named.topic)) throw this.#denied(session, named)
    return this.#accept(named)
  }

  /** A message of the broker or of a plugin: nobody is asked. */
  publishAsBroker(message: Message): void | Promise<void> {
    return this.#accept(this.#canonical(message))
  }

  /** A message that comes later. @throws Refusal when the owner of its topic will never accept it */
  check(message: Message): void {
    const named = this.#canonical(message)
    this.#namespaces.ownerOf(named.topic).check?.(named)
  }

  /** What access is asked about when a client publishes on `topic`; null: it may not. Throws a Refusal when none can. */
  accessTopic(topic: string): string | null {
    if (topic.charCodeAt(0) !== DOLLAR) return topic
    const named = this.#namespaces.canonical(topic)
    const asked = this.#namespaces.ownerOf(named).accessTopic?.(named) ?? named
    const meant = this.#namespaces.canonical(asked)
    return isReserved(meant) ? null : meant
  }

  #mayPublish(session: Session, topic: string): boolean {
    const asked = this.accessTopic(topic)
    return asked !== null && this.#access.mayPublish(session, asked)
  }

  /** Access rules and owners know one name of a topic, or a rule could be got around by the other. */
  #canonical(message: Message): Message {
    if (message.topic.charCodeAt(0) !== DOLLAR) return message
    const topic = this.#namespaces.canonical(message.topic)
    return topic === message.topic ? message : message.on(topic)
  }

  #accept(message: Message): void | Promise<void> {
    const { topic, known } = message
    const owner = this.#namespaces.ownerOf(topic)
    if (known !== null && topic.charCodeAt(0) !== DOLLAR) known.owner = owner
    return this.#handOver(message, owner)
  }

  #handOver(message: Message, owner: Namespace): void | Promise<void> {
    const outcome = owner.accept(message)
    if (this.#events.wants('message.published')) this.#tellPublished(message, outcome)
    return outcome
  }

  /** Told when the message is safe: until then it may be refused. */
  #tellPublished({ from, topic, qos, retain, payloadLength }: Message, outcome: void | Promise<void>): void {
    const data = { clientId: from, topic, qos, retain, bytes: payloadLength }
    const tell = (): void => this.#events.emit('message.published', data)
    if (outcome === undefined) tell()
    else outcome.then(tell, () => {}) // whoever refuses it tells of that
  }

  #denied(session: Session, message: Message): Refusal {
    tellDenied(this.#events, session, 'publish', message.topic)
    return new Refusal(ReasonCode.NotAuthorized, 'not allowed to publish on this topic')
  }
}

/** Who owns the topic of a message; null when it is not known yet, or it begins with `$`, which takes a closer look each time. */
function ownerKnown({ known }: Message): Namespace | null {
  return known === null ? null : (known.owner as Namespace | null)
}

function isReserved(topic: string): boolean {
  return RESERVED.some((prefix) => topic.startsWith(prefix))
}
