/** Someone who reads along on another topic (`--reader`), to see what that costs the others: takes all, keeps nothing. */

import type { Link, PacketHandler } from './link.ts'
import { subscribePacket } from './packets.ts'

export class Reader implements PacketHandler {
  readonly link: Link
  /** The broker has granted the subscription. */
  subscribed = false

  constructor(link: Link, filter: string) {
    this.link = link
    link.handler = this
    link.append(subscribePacket(4, 1, [filter], 0))
    link.flush()
  }

  packet(link: Link, first: number, _at: number, end: number): void {
    if (first >> 4 !== 9) return
    if (link.input.byte(end - 1) >= 0x80) link.fail('the broker refused the subscription of --reader')
    this.subscribed = true
  }
}
