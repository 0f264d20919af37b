/**
 * Whom an address stands for, when something is to be limited by address. A line of IPv6 comes with a /64 of addresses, so
 * those are one; an IPv4 address is itself, however it is written. Pure.
 */

import { isIPv4, isIPv6 } from 'node:net'

/** `::ffff:10.0.0.7`: what a socket of IPv6 calls a client of IPv4. */
const MAPPED = '::ffff:'

/**
 * @param address address and port as events tell them: `10.0.0.7:50412`, `2001:db8::7:50412`, `unix:/run/eventflow.sock`
 * @returns null for what has no address of its own: a Unix socket
 */
export function sourceOf(address: string): string | null {
  const host = address.slice(0, address.lastIndexOf(':')).toLowerCase()
  if (isIPv4(host)) return host
  if (!isIPv6(host)) return null
  const mapped = host.startsWith(MAPPED) ? host.slice(MAPPED.length) : ''
  return isIPv4(mapped) ? mapped : networkOf(host)
}

/** The first four groups: `2001:db8:0:0::/64`. */
function networkOf(host: string): string {
  const [bare] = host.split('%') as [string]
  const [head, tail] = bare.split('::') as [string, string | undefined]
  const before = head === '' ? [] : head.split(':')
  // An IPv4 address at the end stands for two groups, and is never among the first four.
  const after =
    tail === undefined || tail === '' ? [] : tail.split(':').flatMap((group) => (isIPv4(group) ? ['0', '0'] : [group]))
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  const groups = tail === undefined ? before : [...before, ...zeros, ...after]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}
