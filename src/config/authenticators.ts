/** The options of those who say who a client is, besides password files and certificates: tokens, and a server that is asked. */

import * as z from 'zod'
import { duration, flag, integer, LONGEST_TIMER, oneOf, optionalGroup, text, textOrNull } from './kinds.ts'

const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const
const KEY_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const
const ALGORITHMS: readonly string[] = [...SECRET_ALGORITHMS, ...KEY_ALGORITHMS]
const SOURCES = ['secretFile', 'publicKeyFile', 'jwksFile', 'jwksUrl'] as const
const webAddress = 'an http:// or https:// address without a user name, or null'
const audiences = 'text, a list of it, or null'

const claim = (name: string, what: string) => text('the name of a claim').prefault(name).describe(what)

export const jwt = optionalGroup('JSON Web Tokens as passwords; null: none are taken.', {
  algorithms: z
    .array(oneOf([...SECRET_ALGORITHMS, ...KEY_ALGORITHMS]), { error: 'a list of algorithms' })
    .min(1, { error: 'at least one algorithm' })
    .prefault(['RS256', 'ES256', 'EdDSA'])
    .describe('Algorithms that a token may be signed with; HS256, HS384 and HS512 go with secretFile, and only they.'),
  secretFile: textOrNull('the path of a file').describe(
    'File whose content is the secret, without the line break at its end.',
  ),
  publicKeyFile: textOrNull('the path of a PEM file').describe('PEM file with the public key, or a certificate.'),
  jwksFile: textOrNull('the path of a JSON file').describe('JSON file with public keys: a JWK Set (RFC 7517).'),
  jwksUrl: z
    .union([z.string().refine(isWebAddress, { error: webAddress }), z.null()], { error: webAddress })
    .prefault(null)
    .describe('Where to get the public keys: a JWK Set over HTTP.'),
  jwksMaxAge: duration('1s', LONGEST_TIMER)
    .prefault('10m')
    .describe('Age at which the keys of jwksUrl are fetched anew.'),
  jwksCooldown: duration('0s', LONGEST_TIMER)
    .prefault('30s')
    .describe('Time between two fetches because of a token with an unknown key.'),
  issuer: textOrNull('text').describe('Who must have issued a token: its claim iss; null: anyone.'),
  audience: z
    .union([text(audiences), z.array(text(audiences)).min(1), z.null()], { error: audiences })
    .prefault(null)
    .describe('For whom a token must be, one of these: its claim aud; null: anyone.'),
  clockTolerance: duration('0s', '10m')
    .prefault('5s')
    .describe('How far the clock of the issuer may be off, for exp and nbf.'),
  requireExpiry: flag().prefault(true).describe('Whether a token must end: have the claim exp.'),
  usernameClaim: claim('sub', 'Claim with the user name.'),
  rolesClaim: claim('roles', 'Claim with the roles of the user: a list, or words with blanks between them.'),
  rulesClaim: claim('rules', 'Claim with topic rules of the user, in the form of access.rules.'),
})

export const httpAuth = optionalGroup('A server that is asked over HTTP who a client is; null: none is.', {
  url: z
    .string({ error: webAddress })
    .refine(isWebAddress, { error: webAddress })
    .describe('Where the credentials of a client are posted as JSON.'),
  bearerTokenFile: textOrNull('the path of a file').describe(
    'File whose first line the broker shows the server as its token.',
  ),
  timeout: duration('1ms', '1m').prefault('5s').describe('Time that an answer may take.'),
  cacheAllowed: duration('0s', LONGEST_TIMER).prefault('1m').describe('How long an answer that allows is remembered.'),
  cacheDenied: duration('0s', LONGEST_TIMER).prefault('5s').describe('How long one that denies or ignores is.'),
  cacheSize: integer(1, 10_000_000).prefault(10_000).describe('Answers that are remembered.'),
  maxConcurrent: integer(1, 10_000).prefault(64).describe('Requests under way at a time; a thousand more wait.'),
  retryAfter: duration('1ms', LONGEST_TIMER)
    .prefault('10s')
    .describe('Time for which a server that failed is not asked, and nobody let in by it.'),
})

interface Problem {
  readonly path: string[]
  readonly expected: string
}

type Jwt = Partial<Record<(typeof SOURCES)[number], unknown>> & { readonly algorithms?: readonly string[] }

/** What is wrong between the options of tokens. Runs beside the schema, so it takes whatever there is. */
export function* jwtProblems(jwt: Jwt | null | undefined): Generator<Problem> {
  if (jwt === null || jwt === undefined) return
  const given = SOURCES.filter((source) => typeof jwt[source] === 'string')
  if (given.length !== 1) yield { path: ['jwt'], expected: `exactly one of ${SOURCES.join(', ')}` }
  if (!Array.isArray(jwt.algorithms) || given.length !== 1) return
  // A public key is no secret: whoever had it could sign with HS256, were both taken.
  const allowed: readonly string[] = given[0] === 'secretFile' ? SECRET_ALGORITHMS : KEY_ALGORITHMS
  const known = jwt.algorithms.filter((algorithm) => ALGORITHMS.includes(algorithm))
  if (known.every((algorithm) => allowed.includes(algorithm))) return
  yield { path: ['jwt', 'algorithms'], expected: `${allowed.join(', ')}, with ${given[0]}` }
}

/** An address with a password in it would be in every error that names it. */
function isWebAddress(value: string): boolean {
  if (!URL.canParse(value)) return false
  const { protocol, username, password } = new URL(value)
  return /^https?:$/.test(protocol) && username === '' && password === ''
}
