/**
 * What a connection passes between the listener's door and the broker: the PROXY protocol, TLS, WebSocket. Each layer takes
 * its own bytes off and hands on what is inside, so that they stack in any order that makes sense.
 */

import type { Duplex } from 'node:stream'
import type { Config } from '../../config/schema.ts'
import type { Refusal } from '../../core/reason-codes.ts'
import type { Apply, ClientCertificate } from '../../kernel/plugin-contract.ts'

/** A connection on its way in. */
export interface Arrival {
  readonly stream: Duplex
  readonly address: string
  readonly certificate: ClientCertificate | null
  /** Why it is to be turned away, once it can be told; null: it is not. */
  readonly refusal: Refusal | null
}

export interface Layer {
  /** Take a connection: it goes on by `passage.next`, or is refused, or the time for its handshakes runs out. */
  pass(arrival: Arrival, passage: Passage): void
  /** Paths of the files that it was made of. */
  files?(): readonly string[]
  /** Take other options, or files that have changed: checked now, in force for new connections when the returned function is called. */
  prepare?(config: Config): Apply | Promise<Apply>
  start?(): Promise<void>
  stop?(): void
}

export interface Passage {
  next(arrival: Arrival): void
  /** Turn the connection away, which is told by an event; `farewell` is sent on its stream first. */
  refuse(reason: string, farewell?: string, reasonCode?: number): void
}
