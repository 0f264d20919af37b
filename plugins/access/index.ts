/**
 * Access: who may come in, by a password file, and what they may do, by rules. Without both, everyone may do everything;
 * with either, what no rule allows is denied.
 */

import { type Authenticator, definePlugin, type Logger } from '../../src/plugin.ts'
import { CertificateUsers } from './certificate-users.ts'
import { readScramUsers, readUsers } from './password-file.ts'
import { PasswordUsers } from './password-users.ts'
import { type Rule, Rules } from './rules.ts'
import { ScramUsers } from './scram.ts'

export interface AccessOptions {
  /** Users and their passwords, in the format of mosquitto_passwd; null: nobody needs a password. */
  readonly passwordFile: string | null
  /** Users for SCRAM-SHA-256; null: it is not offered. */
  readonly scramFile: string | null
  /** Whether anybody has to say who they are: by password, certificate, token, or a server that is asked. */
  readonly users: boolean
  /** Where in its certificate the name of a client is; none: certificates name nobody. */
  readonly certificateUser: 'none' | 'cn' | 'san'
  readonly rules: readonly Rule[]
  /** What becomes of an MQTT 3.1.1 client that publishes what it may not: a matter of the transport. */
  readonly publishDenied: 'close' | 'ignore'
}

export const access = definePlugin<AccessOptions>({
  name: 'access',
  async setup(context) {
    const { passwordFile, scramFile, certificateUser, users, rules } = context.options
    if (certificateUser !== 'none') context.authenticator(new CertificateUsers(certificateUser))
    if (passwordFile !== null) context.authenticator(new PasswordUsers(await readUsers(passwordFile)))
    if (scramFile !== null) context.authenticationMethod(new ScramUsers(await readScramUsers(scramFile)))
    context.authenticator(users ? WITHOUT_NAME : ANYONE)
    if (!users && rules.length === 0) {
      context.authorizer({ name: 'anyone', allowsAll: true, authorize: () => 'allow' })
    } else {
      const inForce = new Rules(rules)
      context.authorizer({
        name: 'rules',
        authorize: (session, action, topic) => inForce.decide(session, action, topic),
      })
    }
    return { start: () => tell(context.log, context.options) }
  },
})

const ANYONE: Authenticator = { name: 'anonymous', unproved: true, authenticate: () => 'allow' }

/** Where there are users, who claims to be one must prove it: for listeners that name it. */
const WITHOUT_NAME: Authenticator = {
  name: 'anonymous',
  onlyByName: true,
  unproved: true,
  authenticate: ({ username }) => (username === null || username === '' ? 'allow' : null),
}

/** What an operator should know before the first client does. */
function tell(log: Logger, options: AccessOptions): void {
  const { passwordFile, users, rules } = options
  if (!users) {
    log.warn({}, 'nobody needs a password: without access.passwordFile the broker listens on loopback only')
  } else if (rules.length === 0) {
    log.warn({ passwordFile }, 'no client may publish or subscribe: there are users, but no access.rules')
  }
}
