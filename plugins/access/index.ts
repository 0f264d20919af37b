/**
 * Access: who may come in, by a password file, and what they may do, by rules. Without both, everyone may do everything;
 * with either, what no rule allows is denied. Both can change while the broker runs: what is wrong changes nothing.
 */

import {
  type Action,
  type AuthenticationMethod,
  type Authenticator,
  definePlugin,
  type Logger,
  ReasonCode,
  Refusal,
} from '../../src/plugin.ts'
import { Authorization, type Explanation, type RuleOptions, readRules } from './authorization.ts'
import { CertificateUsers } from './certificate-users.ts'
import type { Canonical } from './clause.ts'
import { Link } from './link.ts'
import { readScramUsers, readUsers } from './password-file.ts'
import { PasswordUsers } from './password-users.ts'
import type { Rules, Who } from './rules.ts'
import { SCRAM, ScramUsers } from './scram.ts'

export interface AccessOptions extends RuleOptions {
  /** Users and their passwords, in the format of mosquitto_passwd; null: nobody needs a password. */
  readonly passwordFile: string | null
  /** Users for SCRAM-SHA-256; null: it is not offered. */
  readonly scramFile: string | null
  /** Whether others say who somebody is, too: tokens, or a server that is asked. Left out: as at the start. */
  readonly usersElsewhere?: boolean
  /** Where in its certificate the name of a client is; none: certificates name nobody. */
  readonly certificateUser: 'none' | 'cn' | 'san'
  /** What becomes of an MQTT 3.1.1 client that publishes what it may not: a matter of the transport, for new connections. */
  readonly publishDenied: 'close' | 'ignore'
}

export type { Explanation } from './authorization.ts'

export interface AccessControl {
  /**
   * Other options from now on, `access` in the configuration; files are read anew. When it resolves every session has been
   * looked at: subscriptions that are no longer allowed are gone, and messages that were waiting for them.
   * @throws EventflowError ACCESS_FILE_INVALID with the file and the line; then nothing has changed
   */
  change(options: AccessOptions): Promise<void>
  /**
   * May a client publish on a topic, or subscribe to a filter, and by which rule?
   * @throws Refusal when it is a topic that none can publish on
   */
  explain(
    who: { clientId: string; username: string | null; roles?: readonly string[] },
    action: Action,
    topic: string,
  ): Explanation
}

export const access = definePlugin<AccessOptions>({
  name: 'access',
  async setup(context) {
    const canonical: Canonical = (filter) => context.accessTopic('subscribe', filter) ?? filter
    const first = await read(context.options, canonical)
    const links = CHAIN.map((name) => new Link(name, first.authenticators[name]))
    for (const link of links) context.authenticator(link)
    let scram = first.scram
    context.authenticationMethod({ name: 'scram', method: SCRAM, begin: (client) => scram.begin(client) })
    const authorization = new Authorization(first.rules, context.accessTopic)
    context.authorizer(authorization)

    const { usersElsewhere = false } = context.options
    let present = context.options
    /** Reads all that is to be read, and returns what puts it in force. */
    const prepare = async (given: AccessOptions): Promise<() => Promise<void>> => {
      const options = { usersElsewhere, ...given }
      const { authenticators, scram: nextScram, rules } = await read(options, canonical)
      return () => {
        for (const link of links) link.holder = authenticators[link.name as keyof Chain]
        scram = nextScram
        authorization.rules = rules
        present = options
        tell(context.log, options)
        return context.accessChanged()
      }
    }
    const change = oneAtATime(async (options: AccessOptions) => (await prepare(options))())
    const api: AccessControl = {
      change,
      explain: ({ clientId, username, roles = [] }, action, topic) =>
        authorization.explain({ clientId, username, grants: { roles, rules: [] } } satisfies Who, action, topic),
    }
    return {
      api,
      start: () => tell(context.log, context.options),
      files: () => [present.passwordFile, present.scramFile, present.aclFile].filter((file) => file !== null),
      async reload(options) {
        const apply = await prepare(options as AccessOptions)
        return () =>
          void apply().catch((error: unknown) => context.log.error({ error }, 'sessions could not be looked at anew'))
      },
    }
  },
})

/** In the order in which they are asked. */
const CHAIN = ['certificate', 'password', 'anonymous'] as const

/** Null where the options want nobody. */
type Chain = { readonly [name in (typeof CHAIN)[number]]: Authenticator | null }

interface InForce {
  readonly authenticators: Chain
  readonly scram: Pick<AuthenticationMethod, 'begin'>
  readonly rules: Rules | null
}

/** What these options mean, with their files read anew. */
async function read(options: AccessOptions, canonical: Canonical): Promise<InForce> {
  const { scramFile } = options
  const open = isAnonymous(options) && options.rules.length === 0 && options.aclFile === null
  return {
    authenticators: await authenticatorsOf(options),
    scram: scramFile === null ? NO_SCRAM : new ScramUsers(await readScramUsers(scramFile)),
    rules: open ? null : await readRules(options, canonical),
  }
}

async function authenticatorsOf(options: AccessOptions): Promise<Chain> {
  const { passwordFile, certificateUser } = options
  return {
    certificate: certificateUser === 'none' ? null : new CertificateUsers(certificateUser),
    password: passwordFile === null ? null : new PasswordUsers(await readUsers(passwordFile)),
    anonymous: isAnonymous(options) ? ANYONE : WITHOUT_NAME,
  }
}

const NO_SCRAM = {
  begin(): never {
    throw new Refusal(ReasonCode.BadAuthenticationMethod, 'no such authentication method')
  },
}

const ANYONE: Authenticator = { name: 'anonymous', unproved: true, authenticate: () => 'allow' }

/** Where there are users, who claims to be one must prove it: for listeners that name it. */
const WITHOUT_NAME: Authenticator = {
  name: 'anonymous',
  onlyByName: true,
  unproved: true,
  authenticate: ({ username }) => (username === null || username === '' ? 'allow' : null),
}

/** Whether there are no users: everyone is let in. */
function isAnonymous({ passwordFile, scramFile, certificateUser, usersElsewhere }: AccessOptions): boolean {
  return passwordFile === null && scramFile === null && certificateUser === 'none' && usersElsewhere !== true
}

/** What was asked for last comes last, and so is in force in the end. */
function oneAtATime<T>(task: (input: T) => Promise<void>): (input: T) => Promise<void> {
  let last: Promise<void> = Promise.resolve()
  return (input) => {
    last = last.catch(() => {}).then(() => task(input))
    return last
  }
}

/** What an operator should know before the first client does. */
function tell(log: Logger, options: AccessOptions): void {
  const { passwordFile, rules, aclFile } = options
  if (isAnonymous(options)) {
    log.warn({}, 'nobody needs a password: without access.passwordFile the broker listens on loopback only')
  } else if (rules.length === 0 && aclFile === null) {
    log.warn({ passwordFile }, 'no client may publish or subscribe: there are users, but no access.rules')
  }
}
