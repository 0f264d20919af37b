/** PINGREQ (section 3.12): nothing but its fixed header. */

import { ReasonCode, Refusal } from '../core/reason-codes.ts'

/**
 * Checks that a PINGREQ has no body and no flags.
 * @param flags the lower four bits of the packet's first byte
 * @throws Refusal 0x81
 */
export function readPingreq(flags: number, start: number, end: number): void {
  if (flags !== 0) throw new Refusal(ReasonCode.MalformedPacket, 'PINGREQ has the wrong flags') // [MQTT-2.1.3-1]
  if (start !== end) throw new Refusal(ReasonCode.MalformedPacket, 'PINGREQ has a body')
}
