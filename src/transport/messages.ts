/** The short way: PUBLISH to the intake, acknowledgements to the session's outbox, and what is answered to both. */

import { faultCode } from '../core/errors.ts'
import type { DisconnectReason, Events } from '../core/events.ts'
import type { Message } from '../core/message.ts'
import { asRefusal, ReasonCode, Refusal } from '../core/reason-codes.ts'
import type { SharedRoom } from '../core/shared-room.ts'
import type { Intake } from '../kernel/intake.ts'
import type { Logger } from '../kernel/plugin-contract.ts'
import type { Session } from '../session/session.ts'
import type { Store } from '../store/store.ts'
import { type Acknowledgement, readAcknowledgement } from '../wire/acknowledgement.ts'
import { type AcknowledgementType, PUBACK, PUBCOMP, PUBREC } from '../wire/acknowledgement-writer.ts'
import { answerCode, PUBACK_CODES } from '../wire/answer-codes.ts'
import { payloadIsAsDeclared } from '../wire/payload-format.ts'
import { PublishDecoder } from '../wire/publish-decoder.ts'
import type { TopicTable } from '../wire/topic-table.ts'
import type { WriteBuffer } from '../wire/write-buffer.ts'
import { Acknowledger, NONE } from './acknowledger.ts'
import type { TransportLimits } from './lane-parts.ts'
import { ReceiveWindow } from './receive-window.ts'

/** Messages of one client that may wait to be safe before its socket is read no further. */
const MAX_PENDING = 4_096

export interface MessagesParts {
  session: Session
  version: number
  out: WriteBuffer
  intake: Intake
  store: Store
  room: SharedRoom
  events: Events
  log: Logger
  limits: TransportLimits
  topics: TopicTable
  /** The largest packet that may say why in words, in bytes; 0: none may. */
  maxExplainedBytes: number
  close: (reasonCode: number, reason: DisconnectReason, text: string, serverReference?: string | null) => void
  /** There is room again: read on. */
  progress: () => void
}

export class Messages {
  readonly #parts: MessagesParts
  readonly #decoder: PublishDecoder
  readonly #acknowledger: Acknowledger
  readonly #window: ReceiveWindow
  /** The acknowledgement being read: one object for all of them. */
  readonly #acknowledgement: Acknowledgement = { packetId: 0, reasonCode: 0 }

  constructor(parts: MessagesParts) {
    this.#parts = parts
    const { out, version, session, limits, topics, maxExplainedBytes, progress } = parts
    const { maxTopicLevels, maxTopicBytes, topicAliasMaximum } = limits
    const { clientId } = session
    this.#decoder = new PublishDecoder(version, clientId, maxTopicLevels, topicAliasMaximum, topics, maxTopicBytes)
    const window = new ReceiveWindow(version === 5 ? limits.receiveMaximum : Infinity)
    this.#window = window
    const failed = this.#failed.bind(this)
    const refused = (topic: string, error: unknown): void => this.#tellRefused(topic, asRefusal(error))
    const unkept = (packetId: number): void => void session.inbox.release(packetId)
    this.#acknowledger = new Acknowledger({
      out,
      version,
      window,
      maxExplainedBytes,
      refused,
      failed,
      unkept,
      progress,
    })
  }

  /**
   * So much waits to be safe that the client should send no more for now. A client whose window is full is read on only
   * when nothing of that is owed to us: who sends too fast for our disk waits, who leaves QoS 2 unfinished is sent away.
   */
  get full(): boolean {
    const { pending } = this.#acknowledger
    return pending >= MAX_PENDING || (pending > 0 && this.#window.full)
  }

  /** Bytes that are kept of topics for this connection alone. */
  get heldBytes(): number {
    return this.#decoder.heldBytes
  }

  end(): void {
    this.#acknowledger.close()
  }

  publish(bytes: Buffer, start: number, body: number, end: number, now: number): void {
    const message = this.#decoder.decode(bytes, start, body, end, now)
    const { packetId } = this.#decoder
    message.packetId = packetId
    const { session, intake, store, limits, out } = this.#parts
    const { qos } = message
    out.counters.publishReceived++
    out.counters.publishBytesReceived += message.payloadLength
    if (qos === 2) {
      if (session.inbox.has(packetId)) {
        // A repetition [MQTT-4.3.3-10]. The first one may have come by another connection, and not be on disk yet.
        this.#acknowledger.add(PUBREC, packetId, session.persistent ? store.durable() : undefined, 0)
        return
      }
      this.#window.opened()
      const { inbox } = session
      if (!inbox.hasRoom) {
        this.#parts.room.short()
        this.#refused(message, packetId, NO_ROOM)
        return
      }
      inbox.add(packetId)
    } else if (qos === 1) this.#window.opened()
    let outcome: void | Promise<void>
    try {
      if (limits.checkPayloadFormat) checkPayload(message)
      outcome = intake.publish(session, message)
      // The mark that this identifier was received is as good as the message: PUBREC waits for both.
      if (qos === 2 && session.persistent) outcome ??= store.durable()
    } catch (error) {
      this.#refused(message, packetId, error)
      return
    }
    const reasonCode = message.unmatched ? ReasonCode.NoMatchingSubscribers : ReasonCode.Success
    const { topic } = message
    if (qos > 0)
      this.#acknowledger.add(qos === 1 ? PUBACK : PUBREC, packetId, outcome ?? undefined, reasonCode, '', topic)
    else if (outcome !== undefined) this.#acknowledger.add(NONE, 0, outcome, 0, '', topic)
  }

  acknowledgement(type: AcknowledgementType, flags: number, bytes: Buffer, body: number, end: number): void {
    const { session, version } = this.#parts
    const read = this.#acknowledgement
    readAcknowledgement(type, flags, bytes, body, end, version, read)
    if (type === PUBACK) session.outbox.acknowledged(read.packetId, read.reasonCode)
    else if (type === PUBREC) session.outbox.received(read.packetId, read.reasonCode)
    else if (type === PUBCOMP) session.outbox.completed(read.packetId)
    else this.#released(read.packetId)
  }

  /** PUBREL: the client knows that we have the message; its identifier is free once that is on disk too. */
  #released(packetId: number): void {
    const { session, store, version } = this.#parts
    const known = session.inbox.release(packetId)
    const outcome = known && session.persistent ? store.durable() : undefined
    // In a session that goes on it was released before, and our PUBCOMP was lost: that is no error (section 3.7.2.1).
    const reasonCode = known || version < 5 || session.inbox.resumed ? 0 : ReasonCode.PacketIdentifierNotFound
    this.#acknowledger.add(PUBCOMP, packetId, outcome, reasonCode)
  }

  /** The intake said no at once. */
  #refused(message: Message, packetId: number, error: unknown): void {
    const { session } = this.#parts
    const { topic, qos } = message
    const refusal = this.#refusalOf(error)
    this.#tellRefused(topic, refusal)
    if (qos === 2) session.inbox.release(packetId)
    const type = qos === 0 ? NONE : qos === 1 ? PUBACK : PUBREC
    this.#answer(type, refusal, (code, why) => this.#acknowledger.add(type, packetId, undefined, code, why))
  }

  #tellRefused(topic: string, { code: reasonCode, message: reason }: Refusal): void {
    const { session, events } = this.#parts
    events.emit('message.refused', { clientId: session.clientId, topic, reasonCode, reason })
  }

  /** The intake, or the disk, said no later: it is this message's turn to be answered. */
  #failed(type: AcknowledgementType | typeof NONE, packetId: number, error: unknown): void {
    const { session } = this.#parts
    if (type === PUBREC) session.inbox.release(packetId)
    this.#answer(type, this.#refusalOf(error), (code, why) => {
      if (type !== NONE) this.#acknowledger.write(type, packetId, code, why)
    })
  }

  /**
   * MQTT 5.0 can say no to a message at QoS 1 and 2; nobody else can, nor is there a no to PUBREL
   * [MQTT 5.0, table 3-7]. To acknowledge would be a lie then, so the connection ends; unless the operator wants it so. At QoS
   * 0 nobody waits for an answer: what there is no room for now is dropped, and an event has told so.
   * No acknowledgement can send a client to another server.
   */
  #answer(
    type: AcknowledgementType | typeof NONE,
    refusal: Refusal,
    acknowledge: (code: number, reason: string) => void,
  ): void {
    const { version, limits, close } = this.#parts
    const { code, message, serverReference } = refusal
    const denied = code === ReasonCode.NotAuthorized
    if (serverReference !== null) close(code, 'kicked', message, serverReference)
    else if (version === 5 && (type === PUBACK || type === PUBREC)) acknowledge(answerCode(code, PUBACK_CODES), message)
    else if (type === NONE && code === ReasonCode.QuotaExceeded) return
    else if (denied && limits.publishDenied === 'ignore') acknowledge(0, '')
    else close(code, denied ? 'not-authorized' : code === ReasonCode.QuotaExceeded ? 'quota' : 'error', message)
  }

  #refusalOf(error: unknown): Refusal {
    if (error instanceof Refusal) return error
    const { log, events, session } = this.#parts
    log.error({ clientId: session.clientId, error }, 'a message could not be accepted')
    events.emit('broker.error', { code: faultCode(error), message: 'a message could not be accepted' })
    return asRefusal(error)
  }
}

const NO_ROOM = new Refusal(ReasonCode.QuotaExceeded, 'there is no room for another message at QoS 2 now')

/** @throws Refusal 0x99 when the payload is not the text that it is said to be [MQTT 5.0, 3.3.2.3.2] */
function checkPayload({ properties, payload }: Message): void {
  if (payloadIsAsDeclared(properties, payload)) return
  throw new Refusal(ReasonCode.PayloadFormatInvalid, 'the payload is declared as UTF-8, and is not')
}
