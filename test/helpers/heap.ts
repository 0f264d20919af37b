/** What is held in memory, for tests that something is let go of. */

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes of objects that are reachable. */
export function heldBytes(): number {
  collect()
  return process.memoryUsage().heapUsed
}
