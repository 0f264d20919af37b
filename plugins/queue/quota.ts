/** What all queues together may have, and how much of it there is: any client that may publish can make queues, and delays. */

import { ReasonCode, Refusal } from '../../src/plugin.ts'
import type { QueueOptions } from './options.ts'

export class Quota {
  /** Messages in all queues whose delay is not over, as far as they are safe. */
  delayed = 0
  #maxQueues = Infinity
  #maxDelayed = Infinity

  constructor(options: QueueOptions) {
    this.change(options)
  }

  /** Other limits from now on. What is there already stays. */
  change({ maxQueues, maxDelayed }: QueueOptions): void {
    this.#maxQueues = maxQueues ?? Infinity
    this.#maxDelayed = maxDelayed ?? Infinity
  }

  /** Whether there may be another queue, when there are so many. */
  hasRoomForQueue(queues: number): boolean {
    return queues < this.#maxQueues
  }

  /** @throws Refusal 0x97 when there are so many queues that there may not be another */
  checkQueues(queues: number): void {
    if (!this.hasRoomForQueue(queues)) throw new Refusal(ReasonCode.QuotaExceeded, 'there are too many queues')
  }

  /** Whether one more message may wait for its time. */
  get hasRoomForDelayed(): boolean {
    return this.delayed < this.#maxDelayed
  }
}
