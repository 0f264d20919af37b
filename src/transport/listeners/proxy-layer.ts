/**
 * Takes the PROXY header off what named proxies send. They must send one: a client behind them could otherwise begin with
 * one of its own. Whoever connects from elsewhere is a client, and is read as one.
 */

import { BlockList, isIPv6, type Socket } from 'node:net'
import type { Arrival, Layer, Passage } from './layer.ts'
import { readProxyHeader } from './proxy-header.ts'

export class ProxyLayer implements Layer {
  readonly #proxies = new BlockList()

  /** @param networks addresses, and networks with `/` */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address, bits] = network.split('/') as [string, string | undefined]
      const family = isIPv6(address) ? 'ipv6' : 'ipv4'
      if (bits === undefined) this.#proxies.addAddress(address, family)
      else this.#proxies.addSubnet(address, Number(bits), family)
    }
  }

  pass(arrival: Arrival, passage: Passage): void {
    const socket = arrival.stream as Socket
    const address = socket.remoteAddress ?? ''
    if (address === '' || !this.#proxies.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')) passage.next(arrival)
    else this.#read(socket, arrival, passage)
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
