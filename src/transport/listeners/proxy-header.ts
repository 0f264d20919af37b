/**
 * The header of the PROXY protocol: what a proxy says, before anything else, of the connection that it passes on. Version 1
 * is a line of text, version 2 binary (haproxy.org, doc/proxy-protocol.txt). Pure.
 */

import { isIP } from 'node:net'

export interface ProxyHeader {
  /** Bytes that it takes. */
  readonly length: number
  /** Address and port of the client; null: the proxy speaks for itself, or does not know. */
  readonly address: string | null
}

/** The longest line of version 1, its end included (2.1). */
const LONGEST_LINE = 107
const SIGNATURE = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const FIXED_BYTES = 16
const LOCAL = 0x20
const PROXY = 0x21

/** The header that `bytes` begin with; null: more bytes must come first. @throws Error that says why it is none */
export function readProxyHeader(bytes: Buffer): ProxyHeader | null {
  const begun = Math.min(bytes.length, SIGNATURE.length)
  if (bytes.subarray(0, begun).equals(SIGNATURE.subarray(0, begun))) return readBinary(bytes)
  return readLine(bytes)
}

function readLine(bytes: Buffer): ProxyHeader | null {
  const text = bytes.toString('latin1', 0, LONGEST_LINE)
  if (!'PROXY '.startsWith(text.slice(0, 6))) throw new Error('it does not begin with a PROXY header')
  const end = text.indexOf('\r\n')
  if (end === -1) {
    if (bytes.length >= LONGEST_LINE) throw new Error('the PROXY line does not end')
    return null
  }
  const length = end + 2
  const line = text.slice(0, end)
  if (/^PROXY UNKNOWN( |$)/.test(line)) return { length, address: null }
  const [, version, source, target, port, targetPort] = LINE.exec(line) ?? []
  const family = version === '4' ? 4 : 6
  if (version === undefined || isIP(source!) !== family || isIP(target!) !== family) {
    throw new Error('the PROXY line has no addresses')
  }
  if (Number(port) > 65_535 || Number(targetPort) > 65_535) throw new Error('the PROXY line has a port that is none')
  return { length, address: `${source}:${port}` }
}

const LINE = /^PROXY TCP([46]) (\S+) (\S+) (0|[1-9]\d{0,4}) (0|[1-9]\d{0,4})$/

function readBinary(bytes: Buffer): ProxyHeader | null {
  if (bytes.length < FIXED_BYTES) return null
  const command = bytes[12]!
  if (command !== LOCAL && command !== PROXY) throw new Error('the PROXY header has an unknown version or command')
  const size = bytes.readUInt16BE(14)
  const length = FIXED_BYTES + size
  if (bytes.length < length) return null
  if (command === LOCAL) return { length, address: null }
  const addresses = bytes.subarray(FIXED_BYTES, length)
  const family = bytes[13]! >> 4
  if (family === 1) return { length, address: readAddress(addresses, 4) }
  if (family === 2) return { length, address: readAddress(addresses, 16) }
  return { length, address: null } // a Unix socket, or unspecified
}

/** Source, destination, and their ports; what stands behind them (TLVs) is nothing to us. */
function readAddress(addresses: Buffer, bytes: 4 | 16): string {
  if (addresses.length < 2 * bytes + 4) throw new Error('the PROXY header is too short for its addresses')
  return `${bytes === 4 ? addresses.subarray(0, 4).join('.') : groupsOf(addresses)}:${addresses.readUInt16BE(2 * bytes)}`
}

/** An IPv6 address as Node.js writes it: the longest run of zeros left out. */
function groupsOf(bytes: Buffer): string {
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(2 * i).toString(16)).join(':')
  return new URL(`http://[${groups}]`).hostname.slice(1, -1)
}
