/**
 * Metrics of the process and of Node.js: processor, memory, event loop lag, garbage collection. Once for the process, however
 * many brokers a program starts and stops in it: what watches the event loop cannot be taken away again.
 */

import { collectDefaultMetrics, Registry } from 'prom-client'

let registry: Registry | null = null

export function processMetrics(): Registry {
  if (registry === null) {
    registry = new Registry()
    collectDefaultMetrics({ register: registry })
  }
  return registry
}
