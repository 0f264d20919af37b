/** What a namespace sees of a client's outbox: how to hand over a message, and how to hear what became of it. */

import type { Message, QoS } from '../core/message.ts'

/** How a message ended at its receiver. */
export type Settlement =
  /** PUBACK (QoS 1) or PUBREC (QoS 2) with a reason code below 0x80; at QoS 0: written to the socket. */
  | 'acknowledged'
  /** PUBACK or PUBREC with a reason code of 0x80 or more (MQTT 5.0). */
  | 'refused'
  /** The connection, or for a QoS 2 message in a persistent session the session, ended first. */
  | 'lost'
  /** It cannot be sent to this client at all: larger than the client accepts. */
  | 'undeliverable'
  /** Told of lent messages only: it was sent at QoS 2 and the session ended before PUBREC, so nobody knows. */
  | 'in-doubt'

/** Told what became of the messages it handed over. One object serves for all of them; `token` tells them apart. */
export interface Receiver<Token> {
  settled(token: Token, settlement: Settlement, reasonCode: number): void
}

export interface Outgoing<Token> {
  message: Message
  qos: QoS
  retain: boolean
  /** Subscription identifiers, for MQTT 5.0 clients; null when there are none. */
  identifiers: readonly number[] | null
  /** Further MQTT 5.0 properties as bytes (see `userProperties`), for MQTT 5.0 clients; null when there are none. */
  properties: Buffer | null
  receiver: Receiver<Token> | null
  token: Token
  /**
   * How the receiver finds the message again in a store of its own, 1 to 2^53 - 1; 0 (the default): not at all. With it, what
   * was sent at QoS 2 to a session that is kept is this client's after a restart too: see ResumingOutbox.
   */
  reference?: number
}

/** A delivery at QoS 2 that was under way when the broker ended: the client may have the message. */
export interface Interrupted {
  readonly topic: string
  /** As it was handed over. */
  readonly reference: number
}

export interface OutboxContract {
  /** Whether the client is connected and its socket is keeping up. */
  readonly writable: boolean
  /** How many QoS 1 and 2 messages go out unacknowledged: our own limit, or the client's Receive Maximum if it is less. */
  readonly window: number
  /**
   * Send at QoS 0, at once. Returns false when it was dropped: not connected, socket congested, or too large.
   * Nothing is told of it later.
   */
  send(message: Message, retain: boolean, identifiers: readonly number[] | null): boolean
  /**
   * Hand over a message whose end its receiver wants to hear of: at any QoS, in order, as soon as the window has room.
   * QoS 0 here is not dropped: it settles as acknowledged once its bytes have left for the socket. Settles exactly once,
   * never during the call.
   */
  deliver<Token>(outgoing: Outgoing<Token>): void
  /**
   * Take back what was handed over with this receiver and not yet settled and not yet sent; what was sent keeps its
   * packet identifier until the client settles it, and that late settlement is still told.
   */
  withdraw<Token>(receiver: Receiver<Token>, token: Token): void
}

/** The outbox of a session that was found in the store, before its client comes. */
export interface ResumingOutbox {
  /**
   * Deliveries that nobody has resumed. What is left of them when the client comes is ended without its message, which the
   * client may have or not: only its identifier is had back.
   */
  readonly interrupted: readonly Interrupted[]
  /** Go on with one of these, under the packet identifier that it had. */
  resume<Token>(interrupted: Interrupted, resumed: Resumed<Token>): void
}

export type Resumed<Token> = Pick<Outgoing<Token>, 'message' | 'properties' | 'receiver' | 'token'>

/**
 * An outbox as a shared subscription sees it: messages are lent to it. A lent one is the session's like its own, sent again
 * to a client that returns, until it is settled; but what the client has no use for any more goes back to the lender.
 */
export interface BorrowingOutbox {
  /** Whether a message at this QoS would go out at once. */
  takes(qos: QoS): boolean
  /** Called whenever there may be room again. */
  onRoom: (() => void) | null
  /**
   * Lend a message at QoS 1 or 2, of which `takes` was true. Settles exactly once, never during the call.
   * @param logId its entry in the log of this session; 0: it has none
   */
  lend<Token>(
    message: Message,
    qos: QoS,
    retain: boolean,
    identifiers: readonly number[] | null,
    receiver: Receiver<Token>,
    token: Token,
    logId: number,
  ): void
  /**
   * The client is not connected: take back, in order, what was lent by this receiver. It settles as lost. What was sent at
   * QoS 2 stays, for this client alone may have it [MQTT-4.8.2-4].
   */
  reclaim<Token>(receiver: Receiver<Token>): void
  /**
   * What the store kept of the shared subscription `share` is lent by this receiver from now on. What the client was not
   * sent yet settles as lost, in order, during the call.
   */
  adopt<Token>(share: string, receiver: Receiver<Token>, tokenOf: (message: Message, logId: number) => Token): void
}
