/**
 * What is wrong between the options of listeners and those of access. A value that is missing or wrong by itself is the
 * schema's problem: these checks run beside it, so they take whatever there is.
 */

import { BlockList, isIP } from 'node:net'
import { hasUsers } from './users.ts'

interface Problem {
  readonly path: Array<string | number>
  readonly expected: string
}

interface Listener {
  readonly host?: string
  readonly clientCertificate?: string
  readonly ca?: string | null
  readonly crl?: string | null
  readonly authenticators?: readonly string[] | null
}

interface Http {
  readonly host?: string
  readonly port?: number | null
  readonly tokenFile?: string | null
}

interface Access {
  readonly passwordFile?: string | null
  readonly scramFile?: string | null
  readonly certificateUser?: string
}

interface Groups {
  readonly http: Http
  readonly listeners: Listeners
  readonly access: Access
  readonly jwt?: unknown
  readonly httpAuth?: unknown
}

const WITH_ADDRESS = ['tcp', 'tls', 'ws', 'wss'] as const
const WITH_TLS = ['tls', 'wss'] as const

type Listeners = { readonly [name in (typeof WITH_ADDRESS)[number] | 'unix']?: Listener | null }

/** Authenticators that are there only when an option says so; others are known when plugins have joined. */
const OPTION_OF: ReadonlyMap<string, string> = new Map([
  ['password', 'access.passwordFile'],
  ['scram', 'access.scramFile'],
  ['certificate', 'access.certificateUser'],
  ['jwt', 'jwt'],
  ['http', 'httpAuth'],
])

function isConfigured(name: string, { access, jwt, httpAuth }: Groups): boolean {
  const { passwordFile = null, scramFile = null, certificateUser = 'none' } = access
  const given: { readonly [name: string]: unknown } = { password: passwordFile, scram: scramFile, jwt, http: httpAuth }
  return name === 'certificate' ? certificateUser !== 'none' : (given[name] ?? null) !== null
}

/** As they are before the schema has looked at them: any may be missing, or null, which the schema tells of. */
type Given = { readonly [group in keyof Groups]?: Groups[group] | null }

/** All that is wrong between them. */
export function* listenerProblems(given: Given): Generator<Problem> {
  const { http, listeners, access, jwt, httpAuth } = given
  const groups: Groups = { http: http ?? {}, listeners: listeners ?? {}, access: access ?? {}, jwt, httpAuth }
  yield* openHttp(groups)
  yield* openToStrangers(groups)
  yield* certificateFiles(groups)
  yield* missingAuthenticators(groups)
  yield* certificateUsers(groups)
}

/** HTTP that others can reach wants tokens. */
function* openHttp({ http }: Groups): Generator<Problem> {
  if (http.port === null || http.tokenFile !== null || isLoopback(http.host)) return
  yield { path: ['http', 'host'], expected: 'a loopback address, or tokens in http.tokenFile' }
}

/** So does MQTT want users. */
function* openToStrangers(groups: Groups): Generator<Problem> {
  if (hasUsers(groups)) return
  const { listeners } = groups
  for (const name of WITH_ADDRESS) {
    // Whoever names them has thought of it.
    if (listeners[name]?.authenticators?.includes('anonymous')) continue
    if (!isLoopback(listeners[name]?.host)) yield { path: ['listeners', name, 'host'], expected: LOOPBACK }
  }
}

/** Who asks clients for certificates needs to know whose count, and revokes none without. */
function* certificateFiles({ listeners }: Groups): Generator<Problem> {
  for (const name of WITH_TLS) {
    const { clientCertificate = 'none', ca, crl = null } = listeners[name] ?? {}
    if (clientCertificate === 'none' && crl !== null) yield { path: ['listeners', name, 'crl'], expected: NO_LIST }
    if (clientCertificate === 'none' || ca !== null) continue
    yield { path: ['listeners', name, 'ca'], expected: `a PEM file, for clientCertificate is ${clientCertificate}` }
  }
}

/** Authenticators that a listener names, and no option turns on. */
function* missingAuthenticators(groups: Groups): Generator<Problem> {
  for (const name of [...WITH_ADDRESS, 'unix'] as const) {
    const named = groups.listeners[name]?.authenticators
    if (!Array.isArray(named)) continue
    for (const [i, one] of named.entries()) {
      const option = OPTION_OF.get(one)
      if (option === undefined || isConfigured(one, groups)) continue
      yield { path: ['listeners', name, 'authenticators', i], expected: `another authenticator (${option} is not set)` }
    }
  }
}

/** A user by certificate wants a listener that asks for one. */
function* certificateUsers({ listeners, access }: Groups): Generator<Problem> {
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
