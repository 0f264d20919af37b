/** Gauges: one pass over all sessions. A few milliseconds for ten thousand of them; nothing while nobody asks. */

import type { Gauges } from '../core/counters.ts'
import { isShared } from '../core/topics.ts'
import type { Sessions } from '../session/sessions.ts'

export function gaugesOf(sessions: Sessions): Gauges {
  const gauges: Gauges = { sessions: sessions.size, subscriptions: 0, sharedSubscriptions: 0, inflight: 0 }
  for (const { subscriptions, outbox } of sessions.values()) {
    gauges.inflight += outbox.inflight
    for (const filter of subscriptions.keys()) {
      if (isShared(filter)) gauges.sharedSubscriptions++
      else gauges.subscriptions++
    }
  }
  return gauges
}
