/**
 * Access: who may come in, by a password file, and what they may do, by rules. Without both, everyone may do everything;
 * with either, what no rule allows is denied.
 */

import { type Authenticator, definePlugin, type Logger } from '../../src/plugin.ts'
import { CertificateUsers } from './certificate-users.ts'
import { readUsers } from './password-file.ts'
import { PasswordUsers } from './password-users.ts'
import { type Rule, Rules } from './rules.ts'

export interface AccessOptions {
  /** Users and their passwords, in the format of mosquitto_passwd; null: nobody needs a password. */
  readonly passwordFile: string | null
  /** Where in its certificate the name of a client is; none: certificates name nobody. */
  readonly certificateUser: 'none' | 'cn' | 'san'
  readonly rules: readonly Rule[]
  /** What becomes of an MQTT 3.1.1 client that publishes what it may not: a matter of the transport. */
  readonly publishDenied: 'close' | 'ignore'
}

export const access = definePlugin<AccessOptions>({
  name: 'access',
  async setup(context) {
    let inForce = await read(context.options)
    // The chains are made once; who is in them answers by what is in force.
    for (const name of CHAIN) {
      context.authenticator({ name, authenticate: (credentials) => inForce[name]?.authenticate(credentials) ?? null })
    }
    context.authorizer({
      name: 'rules',
      get allowsAll() {
        return inForce.rules === null
      },
      authorize: (session, action, topic) => inForce.rules?.decide(session, action, topic) ?? 'allow',
    })
    return {
      start: () => tell(context.log, inForce.options),
      files: () => [inForce.options.passwordFile].filter((path) => path !== null),
      async reload(options: AccessOptions) {
        const next = await read(options)
        return () => {
          inForce = next
          context.accessChanged()
          tell(context.log, options)
        }
      },
    }
  },
})

const CHAIN = ['certificate', 'password-file', 'anonymous'] as const

/** Who says who somebody is, in the order of the chain, and what everyone may do; null: everything. */
type InForce = { readonly [name in (typeof CHAIN)[number]]: Authenticator | null } & {
  readonly options: AccessOptions
  readonly rules: Rules | null
}

/** @throws EventflowError ACCESS_FILE_INVALID */
async function read(options: AccessOptions): Promise<InForce> {
  const { passwordFile, certificateUser, rules } = options
  const anonymous = isAnonymous(options)
  return {
    options,
    certificate: certificateUser === 'none' ? null : new CertificateUsers(certificateUser),
    'password-file': passwordFile === null ? null : new PasswordUsers(await readUsers(passwordFile)),
    anonymous: anonymous ? ANYONE : null,
    rules: anonymous && rules.length === 0 ? null : new Rules(rules),
  }
}

const ANYONE: Authenticator = { name: 'anonymous', authenticate: () => 'allow' }

/** Whether there are no users: everyone is let in. */
function isAnonymous({ passwordFile, certificateUser }: AccessOptions): boolean {
  return passwordFile === null && certificateUser === 'none'
}

/** What an operator should know before the first client does. */
function tell(log: Logger, options: AccessOptions): void {
  const { passwordFile, rules } = options
  if (isAnonymous(options)) {
    log.warn({}, 'nobody needs a password: without access.passwordFile the broker listens on loopback only')
  } else if (rules.length === 0) {
    log.warn({ passwordFile }, 'no client may publish or subscribe: there are users, but no access.rules')
  }
}
