/**
 * Certificates for tests, made when a test runs: Node.js signs, but writes no X.509, and openssl is not everywhere. What
 * is written here is the least that TLS takes: DER (X.690), and a certificate of version 3 (RFC 5280).
 */

import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { isIP } from 'node:net'

export interface Issued {
  /** PEM. */
  readonly cert: string
  readonly key: string
  readonly privateKey: KeyObject
  readonly subject: Buffer
}

export interface Wanted {
  /** Common names: mostly one. */
  cn: string | string[]
  /** DNS names, IP addresses and URIs. */
  san?: string[]
  /** Who signs; itself when nobody is named: an authority. */
  by?: Issued
  expired?: boolean
}

const DAY_MS = 86_400_000

/** A certificate and its key. */
export function issue({ cn, san = [], by, expired = false }: Wanted): Issued {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const subject = sequence(...[cn].flat().map((name) => set(sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(name))))))
  const now = Date.now() - (expired ? 100 * DAY_MS : 0)
  const signer = by ?? { subject, privateKey }
  const toBeSigned = sequence(
    der(0xa0, integer(Buffer.from([2]))),
    integer(serialNumber()),
    ECDSA_SHA256,
    signer.subject,
    sequence(time(now - DAY_MS), time(now + 30 * DAY_MS)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions(by === undefined, san))),
  )
  const signature = sign('sha256', toBeSigned, signer.privateKey)
  const certificate = sequence(toBeSigned, ECDSA_SHA256, der(0x03, Buffer.from([0]), signature))
  const body = certificate.toString('base64').match(/.{1,64}/g)!
  const cert = ['-----BEGIN CERTIFICATE-----', ...body, '-----END CERTIFICATE-----', ''].join('\n')
  return { cert, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), privateKey, subject }
}

/** Its first byte is neither zero nor negative: an integer with a byte too many is none in DER (X.690, 8.3.2). */
function serialNumber(): Buffer {
  return Buffer.concat([Buffer.from([0x40]), randomBytes(15)])
}

function extensions(authority: boolean, san: string[]): Buffer[] {
  const critical = der(0x01, Buffer.from([0xff]))
  const basic = authority ? [sequence(oid('2.5.29.19'), critical, octets(sequence(critical)))] : []
  if (san.length === 0 && basic.length === 0) return [sequence(oid('2.5.29.19'), octets(sequence()))]
  return san.length === 0 ? basic : [...basic, sequence(oid('2.5.29.17'), octets(sequence(...san.map(alternative))))]
}

function alternative(name: string): Buffer {
  if (isIP(name) === 4) return der(0x87, Buffer.from(name.split('.').map(Number)))
  return der(name.includes(':') ? 0x86 : 0x82, Buffer.from(name))
}

function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

const sequence = (...parts: Buffer[]): Buffer => der(0x30, ...parts)
const set = (...parts: Buffer[]): Buffer => der(0x31, ...parts)
const octets = (content: Buffer): Buffer => der(0x04, content)
const integer = (bytes: Buffer): Buffer => der(0x02, bytes[0]! >= 0x80 ? Buffer.from([0]) : Buffer.alloc(0), bytes)

/** GeneralizedTime, to the second. */
function time(at: number): Buffer {
  return der(0x18, Buffer.from(`${new Date(at).toISOString().replaceAll(/[-:T]|\..*/g, '')}Z`))
}

function oid(dotted: string): Buffer {
  const [first, second, ...rest] = dotted.split('.').map(Number) as [number, number, ...number[]]
  const bytes = rest.flatMap((arc) => {
    const groups = [arc & 0x7f]
    for (let left = arc >> 7; left > 0; left >>= 7) groups.unshift((left & 0x7f) | 0x80)
    return groups
  })
  return der(0x06, Buffer.from([40 * first + second, ...bytes]))
}

const ECDSA_SHA256 = sequence(oid('1.2.840.10045.4.3.2'))
