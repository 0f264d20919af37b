/**
 * Reason strings of MQTT 5.0: why, in words, beside the code. For people who look for the cause; clients make nothing of
 * them, and an answer that the client would not take for its size goes without.
 */

/** A reason is a sentence; plugins may say more than that. */
const MAX_CHARACTERS = 1_000

/** Properties that explain an answer. */
export interface Explanation {
  reasonString?: string
  serverReference?: string
}

/** What can be sent as a reason string: not too long, and without U+0000 [MQTT-1.5.4-2]. */
export function reasonString(text: string): string {
  return text.slice(0, MAX_CHARACTERS).replaceAll('\0', '\ufffd')
}

/**
 * The packet that `make` makes, with as much of an explanation as the client takes [MQTT-3.2.2-19, MQTT-3.9.2-1,
 * MQTT-3.11.2-1, MQTT-3.14.2-3].
 * @param maxBytes the largest packet that may be explained; 0: none
 */
export function explained(
  reason: string,
  serverReference: string | null,
  maxBytes: number,
  make: (explanation: Explanation) => Buffer,
): Buffer {
  const reference = serverReference === null ? {} : { serverReference }
  const attempts = [{ ...reference, ...(reason === '' ? {} : { reasonString: reasonString(reason) }) }, reference]
  for (const explanation of attempts) {
    const packet = make(explanation)
    if (packet.length <= maxBytes) return packet
  }
  return make({})
}
