/**
 * Enhanced authentication on one connection (MQTT 5.0, section 4.12): AUTH back and forth before CONNACK, and again on a
 * connection that stands when its client wants to renew what it was let in with. Aedes sees none of it: it is shown the
 * CONNECT of a client that has been let in already.
 */

import { asRefusal, ReasonCode, Refusal } from '../core/reason-codes.ts'
import type { Admission } from '../kernel/access.ts'
import type { Clients } from '../kernel/clients.ts'
import type { Exchange } from '../kernel/exchange.ts'
import type { Credentials } from '../kernel/plugin-contract.ts'
import type { Session } from '../session/session.ts'
import type { AuthPacket } from '../wire/auth.ts'
import type { ConnectPacket } from '../wire/connect.ts'
import type { ConversationHost } from './conversation-host.ts'
import { type Authenticated, authForClient } from './handshake.ts'

export interface AuthenticationParts {
  readonly host: Pick<ConversationHost, 'write' | 'hold' | 'release' | 'close'>
  readonly clients: Clients
  readonly connect: ConnectPacket
  readonly credentials: Credentials
  /** The client is who it says; it has no CONNACK yet. */
  proved(admission: Admission, outcome: Authenticated): void
  /** It is not. */
  failed(refusal: Refusal): void
}

export class Authentication {
  readonly #method: string
  readonly #parts: AuthenticationParts
  #exchange: Exchange | null = null
  /** Of a client that has its CONNACK. */
  #session: Session | null = null
  #ended = false
  /** What CONNACK is to say; null: nothing is proved yet. */
  outcome: Authenticated | null = null

  constructor(method: string, parts: AuthenticationParts) {
    this.#method = method
    this.#parts = parts
  }

  /** The first step, which CONNECT or an AUTH with 0x19 brings along. @throws Refusal 0x8c when there is no such method */
  begin(data: Buffer | null): void {
    const { clients, credentials } = this.#parts
    this.#exchange = clients.exchange(this.#method, credentials)
    if (this.#exchange === null) {
      throw new Refusal(ReasonCode.BadAuthenticationMethod, 'no such authentication method') // [MQTT-4.12.0-1]
    }
    this.#step(this.#exchange, data)
  }

  /**
   * An AUTH of the client.
   * @param session of a client that has its CONNACK, and so may begin anew; else null
   * @throws Refusal 0x82 when it is not one for now [MQTT-4.12.1-1]
   */
  auth({ again, method, data }: AuthPacket, session: Session | null): void {
    if (method !== this.#method) throw protocolError('AUTH has another method than CONNECT')
    this.#session = session
    if (again && session !== null && this.#exchange === null) this.begin(data)
    else if (!again && this.#exchange !== null) this.#step(this.#exchange, data)
    else throw protocolError(again ? 'an authentication is under way' : 'no authentication is under way')
  }

  /** The connection is gone: nobody waits for the answer. */
  end(): void {
    this.#ended = true
  }

  #step(exchange: Exchange, data: Buffer | null): void {
    this.#parts.host.hold()
    void this.#next(exchange, data)
  }

  async #next(exchange: Exchange, data: Buffer | null): Promise<void> {
    try {
      const step = await exchange.next(data)
      if (this.#ended) return
      if (step.admission === null)
        this.#send(ReasonCode.ContinueAuthentication, step.data) // [MQTT-4.12.0-2]
      else this.#proved(step.admission, step.data)
    } catch (error) {
      if (!this.#ended) this.#failed(asRefusal(error, ReasonCode.ServerUnavailable))
    }
  }

  #proved(admission: Admission, data: Buffer | null): void {
    this.#exchange = null
    const session = this.#session
    if (session === null) {
      this.outcome = { method: this.#method, data }
      this.#parts.proved(admission, this.outcome)
    } else {
      this.#parts.clients.renewed(session, admission)
      this.#send(ReasonCode.Success, data)
    }
  }

  #failed(refusal: Refusal): void {
    if (this.#session === null) this.#parts.failed(refusal)
    else this.#parts.host.close(ReasonCode.NotAuthorized, 'not-authorized', refusal.message) // [MQTT-4.12.1-2]
  }

  #send(reasonCode: number, data: Buffer | null): void {
    const packet = authForClient(reasonCode, this.#method, data) // [MQTT-4.12.0-5]
    const { maximumPacketSize } = this.#parts.connect
    if (maximumPacketSize > 0 && packet.length > maximumPacketSize) {
      throw new Refusal(ReasonCode.PacketTooLarge, 'AUTH is larger than the client takes') // [MQTT-3.1.2-24]
    }
    this.#parts.host.write(packet)
    this.#parts.host.release()
  }
}

function protocolError(message: string): Refusal {
  return new Refusal(ReasonCode.ProtocolError, message)
}
