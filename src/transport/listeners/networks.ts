/** Addresses and networks that the configuration names, and whether an address is among them. */

import { BlockList, isIPv6 } from 'node:net'

export class Networks {
  readonly #list = new BlockList()

  /** @param networks addresses, and networks with `/` */
  constructor(networks: readonly string[]) {
    for (const network of networks) {
      const [address, bits] = network.split('/') as [string, string | undefined]
      const family = isIPv6(address) ? 'ipv6' : 'ipv4'
      if (bits === undefined) this.#list.addAddress(address, family)
      else this.#list.addSubnet(address, Number(bits), family)
    }
  }

  /** False for what is no address. */
  has(address: string): boolean {
    return address !== '' && this.#list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
  }
}
