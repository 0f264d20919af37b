/**
 * X-Forwarded-For: each proxy puts the address that it was called from at the end. So it is read from the end, as far as the
 * proxies are known: the first who is none of them is the client. What stands before was written by the client. Pure.
 */

import { isIP, isIPv4 } from 'node:net'

interface Hop {
  readonly address: string
  /** '0' where the proxy does not tell it. */
  readonly port: string
}

/**
 * Address and port of the client.
 * @param peer who the connection comes from, `10.0.0.7:51234`
 * @param isProxy whether the one at an address is believed
 */
export function clientAddress(peer: string, header: string, isProxy: (address: string) => boolean): string {
  const hops = header.split(',')
  let client = hopOf(peer)
  while (client !== null && isProxy(client.address)) {
    const next = hopOf(hops.pop()?.trim() ?? '')
    if (next === null) break
    client = next
  }
  return client === null ? peer : `${client.address}:${client.port}`
}

/** An address as Node.js or a proxy writes it, with or without a port; null: it is none. */
function hopOf(text: string): Hop | null {
  if (isIP(text) !== 0) return { address: text, port: '0' }
  const [, bracketed, bare, port = '0'] = /^(?:\[(.+)\]|(.+?))(?::(\d{1,5}))?$/.exec(text) ?? []
  const address = bracketed ?? bare ?? ''
  return isIP(address) === 0 || (bracketed !== undefined && isIPv4(address)) ? null : { address, port }
}
