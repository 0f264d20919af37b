/** What is held in memory, for tests that something is let go of. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes of objects that are reachable; without what their buffers hold. */
export function heldBytes(): number {
  collect()
  return process.memoryUsage().heapUsed
}

/**
 * Bytes of objects that are reachable, and of their buffers. Buffers that a collection found to be garbage are freed by
 * another thread, when that has time, and are counted as long; the next collection waits until that is done.
 */
export function heldBytesWithBuffers(): number {
  collect()
  return heldBytes() + process.memoryUsage().arrayBuffers
}
