/**
 * Where the messages of one group are stored: each in the log of one session that outlives its connection, or nowhere.
 * A message moves by being written to one log and removed from the other in one run of code, so on disk it is in one of
 * them, always.
 */

import type { Counters } from '../core/counters.ts'
import type { Message } from '../core/message.ts'
import type { MessageLog } from '../store/store.ts'
import type { Entry } from './entry.ts'
import type { Member } from './member.ts'

export class Keeping {
  readonly #log: MessageLog
  readonly #counters: Counters
  readonly #share: string

  /** @param log the messages of sessions @param share the filter of the group */
  constructor(log: MessageLog, counters: Counters, share: string) {
    this.#log = log
    this.#counters = counters
    this.#share = share
  }

  /** Keep it with this member, and nowhere else. */
  keep(entry: Entry, member: Member): void {
    const { message } = entry
    const { session, identifiers } = member
    const [qos, retain] = [member.qosOf(message), member.retainOf(message)]
    const logId = this.#log.append(session.clientId, { message, qos, retain, identifiers, share: this.#share })
    this.forget(entry)
    entry.keeper = session
    entry.logId = logId
    this.#count(message, 1)
  }

  /** Keep it no longer. */
  forget(entry: Entry): void {
    const { keeper, logId } = entry
    if (keeper === null) return
    this.#count(entry.message, -1)
    this.#log.remove(keeper.clientId, logId)
    entry.keeper = null
    entry.logId = 0
  }

  /** Its member has not sent it, as far as the store knows. */
  rest({ keeper, logId }: Entry): void {
    if (keeper !== null) this.#log.mark(keeper.clientId, logId, 0)
  }

  #count({ payloadLength }: Message, sign: 1 | -1): void {
    this.#counters.queuedMessages += sign
    this.#counters.queuedBytes += sign * payloadLength
  }
}
