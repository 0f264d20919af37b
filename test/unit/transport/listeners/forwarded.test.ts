import { expect, it } from 'vitest'
import { clientAddress } from '../../../../src/transport/listeners/forwarded.ts'
import { Networks } from '../../../../src/transport/listeners/networks.ts'

const proxies = new Networks(['10.0.0.7', '10.1.0.0/16', 'fd00::/8'])
const address = (peer: string, header: string) => clientAddress(peer, header, (one) => proxies.has(one))

it.each([
  ['is what a known proxy says', '10.0.0.7:5000', '203.0.113.5', '203.0.113.5:0'],
  ['has its port where that is told', '10.0.0.7:5000', '203.0.113.5:81', '203.0.113.5:81'],
  ['is the last one that is no known proxy', '10.0.0.7:5000', '203.0.113.5, 10.1.2.3', '203.0.113.5:0'],
  ['is not what a client wrote itself', '10.0.0.7:5000', '10.1.9.9, 1.2.3.4,203.0.113.5', '203.0.113.5:0'],
  ['is the peer when that is no known proxy', '203.0.113.5:81', '1.2.3.4', '203.0.113.5:81'],
  ['is the proxy when that says nothing', '10.0.0.7:5000', '', '10.0.0.7:5000'],
  ['is the nearest that is known when what is said is no address', '10.0.0.7:5000', 'unknown', '10.0.0.7:5000'],
  ['is the nearest that is known, of several', '10.0.0.7:5000', '1.2.3.4, <script>, 10.1.2.3', '10.1.2.3:0'],
  ['may be of IPv6', '::ffff:10.0.0.7:5000', '2001:db8::1', '2001:db8::1:0'],
  ['may be of IPv6 with brackets and a port', 'fd00::1:5000', '[2001:db8::1]:81', '2001:db8::1:81'],
  ['is not made of brackets alone', '10.0.0.7:5000', '[1.2.3.4]', '10.0.0.7:5000'],
])('the address of a client %s', (_what, peer, header, expected) => {
  expect(address(peer, header)).toBe(expected)
})
