/** Who is at the other end of a connection, as far as its listener can tell. */

import type { ClientCertificate } from '../kernel/plugin-contract.ts'

export interface Peer {
  /** `10.0.0.7:50412`; of a Unix socket: `unix:` and its path. */
  readonly address: string
  /** Name of the listener that it came by: `tcp`. */
  readonly listener: string
  /** What it proved with; null: nothing was asked, or shown. */
  readonly certificate: ClientCertificate | null
}
