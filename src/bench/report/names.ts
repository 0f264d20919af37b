/** What a table calls a broker: `mosquitto version 2.0.11` on `$SYS/broker/version` is Mosquitto 2.0.11. */

import type { Address } from '../load/link.ts'

/** @param version what the broker says of itself; null: nothing */
export function readableName(version: string | null, { host, port }: Address): string {
  const text = version?.replace(/\bversion\s+/i, '').trim() ?? ''
  return text === '' ? `${host}:${port}` : text[0]!.toUpperCase() + text.slice(1)
}
