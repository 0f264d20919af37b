/** When a publisher may send: as fast as its messages come through, or at a rate that nothing slows down. */

import type { Histogram } from '../histogram.ts'
import type { Ledger } from './ledger.ts'
import { nowUs } from './link.ts'
import type { Publisher } from './publisher.ts'

/** When a run stops sending: after so many messages (of all publishers together), or so many seconds. */
export type Limit = { readonly messages: number } | { readonly seconds: number }

export interface Pace {
  /** Whether time itself makes messages due, so that waiting for sockets is not enough. */
  readonly ticking: boolean
  start(): void
  /** Let the publishers send what they may. */
  pump(publishers: readonly Publisher[]): void
  /** Whether all has been sent that is to be. */
  done(): boolean
}

/**
 * Closed loop: `window` messages of each publisher are under way, from when they are sent until they are delivered (or
 * acknowledged, where nobody is subscribed). The publishers have them together and take turns: whoever's turn it is sends
 * all that have come back since, in one write. Fifty publishers that sent a message each would measure our system calls.
 */
export function windowPace(ledger: Ledger, window: number, limit: Limit): Pace {
  const { sent, copies, publishers: count } = ledger
  const most = 'messages' in limit ? Math.max(1, Math.floor(limit.messages / count)) : Number.POSITIVE_INFINITY
  const forUs = 'seconds' in limit ? limit.seconds * 1e6 : Number.POSITIVE_INFINITY
  let startedAt = 0
  let turn = 0
  const over = (now: number): boolean => (now - startedAt) >>> 0 >= forUs
  return {
    ticking: false,
    start() {
      startedAt = nowUs()
    },
    pump(publishers) {
      const now = nowUs()
      if (over(now)) return
      const underWay = copies === 0 ? 0 : ledger.totalSent - Math.floor(ledger.totalDelivered / copies)
      let room = window * count - underWay
      for (let n = 0; n < count && room > 0; n++) {
        const publisher = publishers[turn % count]!
        room -= sendUpTo(Math.min(room, most - sent[publisher.id]!), publisher, ledger, now)
        turn++
      }
    },
    done() {
      return over(nowUs()) || sent.every((number) => number >= most)
    },
  }
}

/** Send as many as the publisher has room for. Returns how many. */
function sendUpTo(most: number, publisher: Publisher, ledger: Ledger, now: number): number {
  let left = most
  // Twice at most: up to the end of its ring, and from the beginning.
  for (let count = Math.min(left, publisher.room); count > 0; count = Math.min(left, publisher.room)) {
    ledger.send(publisher.id, count)
    publisher.send(count, now, 0)
    left -= count
  }
  return most - left
}

/**
 * Open loop, for one publisher: message n is due n / `rate` seconds after the start, and its latency counts from then, whenever it could be
 * sent. A broker that stops for a while pays for all that was due meanwhile, not for one message.
 * @param lateness takes how long after it was due each message was sent: what the generator itself, or a full socket, adds
 */
export function steadyPace(ledger: Ledger, rate: number, limit: Limit, lateness: Histogram): Pace {
  const most = 'messages' in limit ? limit.messages : Math.max(1, Math.round(limit.seconds * rate))
  const everyUs = 1e6 / rate
  let startedAt = 0
  return {
    ticking: true,
    start() {
      startedAt = nowUs()
    },
    pump([publisher]) {
      if (publisher === undefined) return
      const now = nowUs()
      const sent = ledger.totalSent
      const due = Math.min(most, Math.floor(((now - startedAt) >>> 0) / everyUs) + 1) - sent
      const count = Math.min(due, publisher.room)
      if (count <= 0) return
      const firstDue = startedAt + sent * everyUs
      for (let n = 0; n < count; n++) lateness.record((now - Math.floor(firstDue + n * everyUs)) >>> 0)
      ledger.send(publisher.id, count)
      publisher.send(count, firstDue, everyUs)
    },
    done: () => ledger.totalSent >= most,
  }
}
