/** A message at QoS 1 or 2 in the care of a group, until one member has acknowledged it. */

import type { Message } from '../core/message.ts'
import type { Subscriber } from './subscriber.ts'

export class Entry {
  readonly message: Message
  /** Ascending in a group; 0 for all that was found in the store, which go by when they came in. */
  readonly order: number
  /** In whose log it is; null: it is not stored. That need not be the member who has it now. */
  keeper: Subscriber | null = null
  logId = 0

  constructor(message: Message, order: number) {
    this.message = message
    this.order = order
  }

  isBefore(other: Entry): boolean {
    if (this.order !== other.order) return this.order < other.order
    return this.message.receivedAt < other.message.receivedAt
  }
}
