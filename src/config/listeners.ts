/** The options of the listeners: where clients connect, over what, and who is let in by which certificate. */

import { isIP } from 'node:net'
import * as z from 'zod'
import { group, integer, LARGEST_PACKET, oneOf, optionalGroup, size, text, textOrNull } from './kinds.ts'

/** What a socket's address has room for on Linux; elsewhere it is less. */
const LONGEST_SOCKET_PATH = 107

const address = 'an IP address, or a network such as 10.0.0.0/8'
export const originExpected = 'an origin such as https://example.com'
export const isOrigin = /^[a-z][a-z0-9+.-]*:\/\/[^/\s]+$/
const socketPath = `a path of 1 to ${LONGEST_SOCKET_PATH} bytes`
const names = 'a list of names such as [password, certificate], or null'
const permissions = 'permissions as text, such as "0660"'

const host = (what: string) => text('an address or a host name').prefault('127.0.0.1').describe(what)
const port = integer(0, 65_535)
const needsUsers = 'Address to listen on. Anything but loopback needs users: see access.passwordFile.'

const maxConnections = z
  .union([integer(1, 10_000_000), z.null()], { error: 'a whole number from 1 to 10000000, or null' })
  .prefault(null)
  .describe('Connections that this listener has at once; null: as many as the system allows.')

/** What clients of a listener may send, where that is not as for all. */
const ownLimits = {
  maxPacketSize: z
    .union([size(1, LARGEST_PACKET), z.null()], { error: 'a size of at least 1, or null' })
    .prefault(null)
    .describe('Largest packet that a client of this listener may send; null: as in mqtt.maxPacketSize.'),
  messageRate: z
    .union([integer(1, 100_000_000), z.null()], { error: 'a whole number from 1 to 100000000, or null' })
    .prefault(null)
    .describe('Messages a second that a client of this listener may publish; null: as in limits.messageRate.'),
  byteRate: z
    .union([size(1_024), z.null()], { error: 'a size of at least 1KB, or null' })
    .prefault(null)
    .describe('Bytes a second that a client of this listener may send; null: as in limits.byteRate.'),
}

const proxyProtocol = z
  .array(z.string({ error: address }).refine(isNetwork, { error: address }), {
    error: `a list: each ${address}`,
  })
  .prefault([])
  .describe('Proxies that tell the address of the client first (PROXY protocol, version 1 or 2); nobody else may.')

export const forwardedFor = z
  .array(z.string({ error: address }).refine(isNetwork, { error: address }), {
    error: `a list: each ${address}`,
  })
  .prefault([])
  .describe('Proxies whose X-Forwarded-For header names the client; nobody else is believed.')
const authenticators = z
  .union([z.array(text('the name of an authenticator')).min(1, { error: names }), z.null()], { error: names })
  .prefault(null)
  .describe('Authenticators that clients of this listener are asked by, in this order, by their names; null: all.')

const path = z
  .string({ error: 'a path that begins with /' })
  .regex(/^\/[^?#\s]*$/, { error: 'a path that begins with /, without ? or #' })
  .prefault('/mqtt')
  .describe('Path that WebSocket clients ask for; / is taken as well.')

const origins = z
  .union([z.array(z.string({ error: originExpected }).regex(isOrigin, { error: originExpected })), z.null()], {
    error: `a list (each ${originExpected}), or null`,
  })
  .prefault(null)
  .describe('Web sites whose pages may connect, by their origin; null: any. What is no browser tells none.')

const certificates = {
  cert: text('the path of a PEM file').describe('PEM file with the certificate of the broker, and those in between.'),
  key: text('the path of a PEM file').describe('PEM file with the private key of the certificate.'),
  passphraseFile: textOrNull('the path of a file').describe('File whose first line is the passphrase of the key.'),
  ca: textOrNull('the path of a PEM file').describe('PEM file with the authorities whose client certificates count.'),
  crl: textOrNull('the path of a PEM file').describe(
    'PEM file with the revocation lists of all these authorities; null: no certificate is revoked.',
  ),
  clientCertificate: oneOf(['none', 'request', 'require'])
    .prefault('none')
    .describe('Whether clients are asked for a certificate, and whether they must have one.'),
  minVersion: oneOf(['TLSv1.2', 'TLSv1.3']).prefault('TLSv1.2').describe('Oldest version of TLS that is spoken.'),
}

export const listeners = group({
  tcp: group({
    host: host(needsUsers),
    port: port.prefault(1883).describe('TCP port for MQTT; 0 takes any free one.'),
    ...ownLimits,
    maxConnections,
    authenticators,
    proxyProtocol,
  }),
  tls: optionalGroup('MQTT over TLS; null: not offered.', {
    host: host(needsUsers),
    port: port.prefault(8883).describe('TCP port for MQTT over TLS; 0 takes any free one.'),
    ...certificates,
    ...ownLimits,
    maxConnections,
    authenticators,
    proxyProtocol,
  }),
  ws: optionalGroup('MQTT over WebSocket; null: not offered.', {
    host: host(needsUsers),
    port: port.prefault(8083).describe('TCP port for MQTT over WebSocket; 0 takes any free one.'),
    path,
    origins,
    forwardedFor,
    ...ownLimits,
    maxConnections,
    authenticators,
    proxyProtocol,
  }),
  wss: optionalGroup('MQTT over WebSocket over TLS; null: not offered.', {
    host: host(needsUsers),
    port: port.prefault(8084).describe('TCP port for MQTT over WebSocket over TLS; 0 takes any free one.'),
    path,
    origins,
    forwardedFor,
    ...certificates,
    ...ownLimits,
    maxConnections,
    authenticators,
    proxyProtocol,
  }),
  unix: optionalGroup('MQTT on a Unix socket; null: not offered.', {
    path: z
      .string({ error: socketPath })
      .refine((value) => value !== '' && Buffer.byteLength(value) <= LONGEST_SOCKET_PATH, { error: socketPath })
      .describe('Path of the socket, relative to the working directory.'),
    mode: z
      .string({ error: permissions })
      .regex(/^0?[0-7]{3}$/, { error: permissions })
      .prefault('0660')
      .describe('Permissions of the socket: who may connect.'),
    ...ownLimits,
    maxConnections,
    authenticators,
  }),
})

function isNetwork(value: string): boolean {
  const [, address, , bits] = /^([^/]+)(\/(\d{1,3}))?$/.exec(value) ?? []
  const family = isIP(address ?? '')
  return family !== 0 && (bits === undefined || Number(bits) <= (family === 4 ? 32 : 128))
}
