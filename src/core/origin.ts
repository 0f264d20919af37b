/**
 * Where a connection comes from, as far as it matters to who is to blame: the address without the port, and of IPv6 the
 * network alone, for whoever has one address of it has all 2^64 of them (RFC 6177).
 */

import { isIPv4, isIPv6 } from 'node:net'

/** @param address of a connection: `10.0.0.7:50412`, `2001:db8::7:50412`, or `unix:` and a path, which stays as it is */
export function originOf(address: string): string {
  const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '')
  if (isIPv4(host)) return host
  const bare = host.split('%', 1)[0]! // without the zone of a link-local address
  return isIPv6(bare) ? networkOf(bare) : address
}

function networkOf(host: string): string {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(host)?.[1]
  if (mapped !== undefined) return mapped
  const [head = '', tail] = host.split('::')
  const groups = head === '' ? [] : head.split(':')
  // Two groups stand behind a dotted end, so it may be counted short: only what comes before the fourth is looked at.
  const after = tail === undefined || tail === '' ? [] : tail.split(':')
  const missing = tail === undefined ? 0 : 8 - groups.length - after.length - (host.includes('.') ? 1 : 0)
  const all = [...groups, ...Array<string>(missing).fill('0'), ...after]
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}
