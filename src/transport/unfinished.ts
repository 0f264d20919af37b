/**
 * Packets of which a part has come: large ones, each as large as a packet may be, of as many clients as there may be. So they
 * are bounded together. Where it gets too much the largest gives way, which takes what is least like what others send.
 */

export interface Sender {
  /** Its packet is given up, and its connection with it. */
  giveUpPacket(): void
}

export class Unfinished<T extends Sender> {
  /** By sender, how many bytes of its packet have come. */
  readonly #bytesOf = new Map<T, number>()
  #bytes = 0

  /** Bytes that have come of all of them. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * So many bytes of a packet of this sender have come; 0: it is whole, or it is gone.
   * @param maxBytes how many there may be of all of them
   */
  changed(one: T, bytes: number, maxBytes: number): void {
    this.#bytes += bytes - (this.#bytesOf.get(one) ?? 0)
    if (bytes > 0) this.#bytesOf.set(one, bytes)
    else this.#bytesOf.delete(one)
    while (this.#bytes > maxBytes) this.#largestGivesWay()
  }

  #largestGivesWay(): void {
    let largest: T | null = null
    let most = 0
    for (const [one, bytes] of this.#bytesOf) {
      if (bytes <= most) continue
      largest = one
      most = bytes
    }
    if (largest === null) return
    this.#bytesOf.delete(largest)
    this.#bytes -= most
    largest.giveUpPacket()
  }
}
