import { describe, expect, it } from 'vitest'
import { readProxyHeader } from '../../../../src/transport/listeners/proxy-header.ts'

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]

const line = (text: string) => Buffer.from(text)
const binary = (command: number, family: number, ...addresses: number[]) =>
  Buffer.from([...SIGNATURE, command, family, addresses.length >> 8, addresses.length & 0xff, ...addresses])

const IPV4 = [10, 0, 0, 7, 10, 0, 0, 1, 0xc4, 0xec, 0x07, 0x5b]
const IPV6 = [0x20, 1, 0xd, 0xb8, ...Array(11).fill(0), 7, ...Array(16).fill(0), 0xc4, 0xec, 7, 0x5b]

const WHOLE: Array<[string, Buffer, string | null]> = [
  ['a line of IPv4', line('PROXY TCP4 10.0.0.7 10.0.0.1 50412 1883\r\n'), '10.0.0.7:50412'],
  ['a line of IPv6', line('PROXY TCP6 2001:db8::7 ::1 50412 1883\r\n'), '2001:db8::7:50412'],
  ['a line of an unknown client', line('PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n'), null],
  ['version 2 of IPv4', binary(0x21, 0x11, ...IPV4), '10.0.0.7:50412'],
  ['version 2 of IPv6', binary(0x21, 0x21, ...IPV6), '2001:db8::7:50412'],
  ['version 2 with more behind its addresses', binary(0x21, 0x11, ...IPV4, 3, 0, 1, 9), '10.0.0.7:50412'],
  ['version 2 of the proxy itself', binary(0x20, 0), null],
  ['version 2 of a Unix socket', binary(0x21, 0x31, ...Array(216).fill(0)), null],
]

describe.each(WHOLE)('%s', (_name, header, address) => {
  it('is read, and what follows is left', () => {
    const bytes = Buffer.concat([header, Buffer.from([0x10, 0])])
    expect(readProxyHeader(bytes)).toEqual({ length: header.length, address })
  })

  it('may come in pieces', () => {
    for (let end = 0; end < header.length; end++) expect(readProxyHeader(header.subarray(0, end))).toBeNull()
  })
})

it.each([
  ['CONNECT', Buffer.from([0x10, 12, 0, 4, 0x4d, 0x51, 0x54, 0x54])],
  ['a line without an end', line(`PROXY TCP4 ${'1'.repeat(100)}`)],
  ['a line without addresses', line('PROXY TCP4 here there 1 2\r\n')],
  ['a line whose addresses are of another family', line('PROXY TCP4 ::1 ::1 1 2\r\n')],
  ['a line with a port that is none', line('PROXY TCP4 10.0.0.7 10.0.0.1 65536 1\r\n')],
  ['another version', binary(0x11, 0x11, ...IPV4)],
  ['addresses that are too short', binary(0x21, 0x11, 10, 0, 0, 7)],
])('%s is refused', (_name, bytes) => {
  expect(() => readProxyHeader(bytes)).toThrow(/PROXY/)
})
