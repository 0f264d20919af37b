/**
 * Takes the PROXY header off what named proxies send. They must send one: a client behind them could otherwise begin with
 * one of its own. Whoever connects from elsewhere is a client, and is read as one.
 */

import type { Socket } from 'node:net'
import type { Arrival, Layer, Passage } from './layer.ts'
import { Networks } from './networks.ts'
import { readProxyHeader } from './proxy-header.ts'

export class ProxyLayer implements Layer {
  readonly #proxies: Networks

  /** @param networks addresses, and networks with `/` */
  constructor(networks: readonly string[]) {
    this.#proxies = new Networks(networks)
  }

  pass(arrival: Arrival, passage: Passage): void {
    const socket = arrival.stream as Socket
    if (this.#proxies.has(socket.remoteAddress ?? '')) this.#read(socket, arrival, passage)
    else passage.next(arrival)
  }

  #read(socket: Socket, arrival: Arrival, passage: Passage): void {
    let bytes = Buffer.alloc(0)
    const read = (): void => {
      for (let chunk = socket.read(); chunk !== null; chunk = socket.read()) bytes = Buffer.concat([bytes, chunk])
      try {
        const header = readProxyHeader(bytes)
        if (header === null) return
        socket.removeListener('readable', read)
        if (bytes.length > header.length) socket.unshift(bytes.subarray(header.length))
        passage.next({ ...arrival, address: header.address ?? arrival.address })
      } catch (error) {
        socket.removeListener('readable', read)
        passage.refuse(`proxy ${arrival.address}: ${(error as Error).message}`)
      }
    }
    socket.on('readable', read)
  }
}
