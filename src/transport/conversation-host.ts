/** The connection as its conversation sees it: what a lane does for those who decide. */

import type { DisconnectReason } from '../core/events.ts'
import type { Departure } from '../kernel/clients.ts'
import type { Carrier } from '../session/carrier.ts'
import type { Session } from '../session/session.ts'
import type { ConnectPacket } from '../wire/connect.ts'
import type { Desks } from './desk.ts'
import type { Pace } from './pace.ts'
import type { Peer } from './peer.ts'

export interface ConversationHost {
  readonly peer: Peer
  readonly desks: Desks
  readonly pace: Pace
  write(packet: Buffer): void
  /** Serve no further packet until `release`. */
  hold(): void
  release(): void
  /** The identifier is this connection's from now on: whoever had it is sent away. */
  claim(clientId: string): void
  /** The client is welcome, its CONNACK written: returns what carries its session from now on. */
  welcome(session: Session, connect: ConnectPacket): Carrier
  /** The connection ends, for this reason; DISCONNECT was sent or received, or none is due. */
  finish(departure: Departure): void
  close(reasonCode: number, reason: DisconnectReason, text: string): void
}
