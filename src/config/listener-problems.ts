/**
 * What is wrong between the options of listeners and those of access. A value that is missing or wrong by itself is the
 * schema's problem: these checks run beside it, so they take whatever there is.
 */

import { BlockList, isIP } from 'node:net'

interface Problem {
  readonly path: string[]
  readonly expected: string
}

interface Listener {
  readonly host?: string
  readonly clientCertificate?: string
  readonly ca?: string | null
  readonly crl?: string | null
}

interface Http {
  readonly host?: string
  readonly port?: number | null
  readonly tokenFile?: string | null
}

interface Access {
  readonly passwordFile?: string | null
  readonly certificateUser?: string
}

const WITH_ADDRESS = ['tcp', 'tls', 'ws', 'wss'] as const
const WITH_TLS = ['tls', 'wss'] as const

type Listeners = { readonly [name in (typeof WITH_ADDRESS)[number]]?: Listener | null }

export function* listenerProblems(listeners: Listeners = {}, access: Access = {}, http: Http = {}): Generator<Problem> {
  if (http.port !== null && http.tokenFile === null && !isLoopback(http.host)) {
    yield { path: ['http', 'host'], expected: 'a loopback address, or tokens in http.tokenFile' }
  }
  for (const name of WITH_ADDRESS) {
    if (access.passwordFile !== null || access.certificateUser !== 'none') break
    if (!isLoopback(listeners[name]?.host)) yield { path: ['listeners', name, 'host'], expected: LOOPBACK }
  }
  for (const name of WITH_TLS) {
    const { clientCertificate = 'none', ca, crl = null } = listeners[name] ?? {}
    if (clientCertificate === 'none' && crl !== null) yield { path: ['listeners', name, 'crl'], expected: NO_LIST }
    if (clientCertificate === 'none' || ca !== null) continue
    yield { path: ['listeners', name, 'ca'], expected: `a PEM file, for clientCertificate is ${clientCertificate}` }
  }
  const { certificateUser = 'none' } = access
  if (certificateUser === 'none') return
  if (WITH_TLS.some((name) => (listeners[name]?.clientCertificate ?? 'none') !== 'none')) return
  yield { path: ['access', 'certificateUser'], expected: CERTIFICATES }
}

const LOOPBACK =
  'a loopback address (without users the broker listens on loopback only; name a password file in access.passwordFile)'
const NO_LIST = 'null while clientCertificate is none'
const CERTIFICATES = 'none, or a listener tls or wss whose clientCertificate is request or require'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

/** Whether only this machine can connect. */
function isLoopback(host: unknown): boolean {
  if (typeof host !== 'string') return true
  const family = isIP(host)
  return family === 0 ? host.toLowerCase() === 'localhost' : loopback.check(host, family === 6 ? 'ipv6' : 'ipv4')
}
