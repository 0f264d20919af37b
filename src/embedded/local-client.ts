/**
 * A client inside the process: what a program that embeds the broker subscribes and consumes with. To namespaces it is a
 * session like any other; its outbox calls a function instead of writing to a socket.
 */

import { NO_GRANTS } from '../core/grants.ts'
import type { Message, QoS } from '../core/message.ts'
import type { SessionView, Subscription } from '../kernel/plugin-contract.ts'
import type { BorrowingOutbox, OutboxContract, Outgoing, Receiver, Settlement } from '../session/outbox-contract.ts'

/** A message handed over, and how to settle it: once, with a reason code from 0x80 on when it is refused. */
export type LocalHandler = (message: Message, settle: (settlement: Settlement, reasonCode: number) => void) => void

class LocalOutbox implements OutboxContract, BorrowingOutbox {
  readonly writable = true
  onRoom: (() => void) | null = null
  onSpareRoom: (() => void) | null = null
  readonly window = Infinity
  readonly #handler: LocalHandler
  readonly #unsettled = new Set<() => void>()
  #ended = false

  constructor(handler: LocalHandler) {
    this.#handler = handler
  }

  send(message: Message): boolean {
    this.#handler(message.keep(), () => {})
    return true
  }

  enqueue(message: Message): 'sent' {
    this.send(message)
    return 'sent'
  }

  hasSpareRoom(): true {
    return true
  }

  deliver<Token>({ message, receiver, token }: Outgoing<Token>): void {
    let open = true
    const settle = (settlement: Settlement, reasonCode: number): void => {
      if (!open) return
      open = false
      this.#unsettled.delete(lose)
      receiver?.settled(token, settlement, reasonCode)
    }
    const lose = (): void => settle('lost', 0)
    this.#unsettled.add(lose)
    this.#handler(message, settle)
  }

  takes(): boolean {
    return !this.#ended
  }

  lend<Token>(
    message: Message,
    qos: QoS,
    retain: boolean,
    identifiers: readonly number[] | null,
    receiver: Receiver<Token>,
    token: Token,
  ): void {
    this.deliver({ message, qos, retain, identifiers, properties: null, receiver, token })
  }

  /** Everything is handed over at once, so there is nothing to take back. */
  withdraw<Token>(_receiver: Receiver<Token>, _token: Token): void {}
  reclaim<Token>(_receiver: Receiver<Token>): void {}
  /** It is in no store. */
  adopt(): void {}

  loseAll(): void {
    this.#ended = true
    for (const lose of [...this.#unsettled]) lose()
  }
}

export class LocalClient implements SessionView {
  readonly clientId: string
  readonly username = null
  readonly grants = NO_GRANTS
  readonly protocolVersion = 4
  readonly persistent = false
  readonly address = 'local'
  readonly outbox: LocalOutbox
  readonly subscriptions = new Map<string, Subscription>()
  connected = true

  constructor(clientId: string, handler: LocalHandler) {
    this.clientId = clientId
    this.outbox = new LocalOutbox(handler)
  }

  /** A plain subscription of this client, as namespaces take it. */
  subscription(filter: string, qos: QoS): Subscription {
    const subscription: Subscription = {
      filter,
      qos,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0,
      identifier: 0,
    }
    this.subscriptions.set(filter, subscription)
    return subscription
  }

  end(): void {
    this.connected = false
    this.outbox.loseAll()
  }
}
