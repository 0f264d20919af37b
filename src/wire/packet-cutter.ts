/**
 * A stream cut into MQTT packets, without copying: the caller pushes chunks and pulls packets as offsets into them.
 *
 * Pulling, rather than being called back, lets a connection stop in the middle of a chunk (while its SUBSCRIBE is being
 * decided, say) and go on later from there.
 */

import { ReasonCode, Refusal } from '../core/reason-codes.ts'

export class PacketCutter {
  /** The packet that `next()` found: `bytes` from `start`, its body from `body`, to `end`. */
  bytes: Buffer = EMPTY
  start = 0
  body = 0
  end = 0

  /** The largest packet, header included (at most 268,435,460). */
  maxBytes: number
  /** Bytes of one packet that is not whole yet, in pieces: joined once, when it is, so a large packet is copied once. */
  #pieces: Buffer[] = []
  #piecesLength = 0
  /** How many bytes `#pieces` must have before it is worth looking again. */
  #wanted = 0

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes
  }

  /** Bytes that have come of a large packet which is not whole yet; 0: there is none. */
  get unfinished(): number {
    return this.#wanted > LARGE ? this.#piecesLength : 0
  }

  push(chunk: Buffer): void {
    if (this.#wanted === 0 && this.end === this.bytes.length) {
      this.#restart(chunk)
      return
    }
    if (this.#wanted === 0) {
      // Pushed while packets of the chunk before are still to be pulled: the connection is being held.
      this.#restart(Buffer.concat([this.bytes.subarray(this.end), chunk]))
      return
    }
    this.#pieces.push(chunk)
    this.#piecesLength += chunk.length
    if (this.#piecesLength >= this.#wanted) this.#restart(this.#join())
    else if (this.#pieces.length >= MAX_PIECES) this.#pieces = [this.#join()]
  }

  /** Move to the next whole packet; false when there is none yet. Throws Refusal 0x81 (bad length) or 0x95 (too large). */
  next(): boolean {
    const { bytes, end: start } = this
    const available = bytes.length - start
    if (available === 0) {
      if (this.#wanted === 0) this.#restart(EMPTY) // let go of the chunk: an idle connection holds no memory
      return false
    }
    let length = 0
    let at = start + 1
    for (let shift = 0; ; shift += 7) {
      if (shift > 21) throw new Refusal(ReasonCode.MalformedPacket, 'the remaining length has more than four bytes') // [MQTT-1.5.5-1]
      if (at >= bytes.length) {
        this.#keepRest(available + 1)
        return false
      }
      const byte = bytes[at++]!
      length |= (byte & 0x7f) << shift
      if (byte >= 0x80) continue
      if (byte === 0 && shift > 0) {
        throw new Refusal(ReasonCode.MalformedPacket, 'the remaining length has more bytes than it needs') // [MQTT-1.5.5-1]
      }
      break
    }
    const size = at - start + length
    if (size > this.maxBytes) {
      throw new Refusal(ReasonCode.PacketTooLarge, `the packet has ${size} bytes, at most ${this.maxBytes} are allowed`)
    }
    if (size > available) {
      this.#keepRest(size)
      return false
    }
    this.start = start
    this.body = at
    this.end = start + size
    return true
  }

  #restart(bytes: Buffer): void {
    this.bytes = bytes
    this.end = 0
    this.#wanted = 0
  }

  #keepRest(wanted: number): void {
    const rest = this.bytes.subarray(this.end)
    this.#restart(EMPTY)
    this.#pieces = [rest]
    this.#piecesLength = rest.length
    this.#wanted = wanted
  }

  #join(): Buffer {
    const whole = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces, this.#piecesLength)
    this.#pieces = []
    return whole
  }
}

const EMPTY = Buffer.alloc(0)

/** More than a chunk that a socket delivers. */
const LARGE = 65_536

/** A packet that drips in byte by byte must not become a million buffers. */
const MAX_PIECES = 512
