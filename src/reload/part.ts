/** What takes another configuration while the broker runs, as whoever reloads sees it. */

import type { Config } from '../config/schema.ts'
import type { Apply } from '../kernel/plugin-contract.ts'

export interface ReloadPart {
  /** The group of options that it is about: `listeners.tls`, `access`. */
  readonly name: string
  /** Paths of the files that the present options name. */
  files(): readonly string[]
  /** Check all of it, files included, and change nothing. Returns what puts it in force, if anything does. */
  prepare(config: Config): void | Apply | Promise<void> | Promise<Apply>
}
