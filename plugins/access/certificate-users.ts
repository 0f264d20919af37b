/**
 * Lets in those who have a certificate, under the name in it. An authority that the listener trusts has signed it, and the
 * client has proved that it is its own. Who has none, or none with a name, is left to the next in the chain.
 */

import { type Authenticator, type Credentials, type Decision, type Identity, isUsername } from '../../src/plugin.ts'

export class CertificateUsers implements Authenticator {
  readonly name = 'certificate'
  readonly #field: 'cn' | 'san'

  /** @param field where the name is: the common name, or the first subject alternative name */
  constructor(field: 'cn' | 'san') {
    this.#field = field
  }

  authenticate({ certificate }: Credentials): Decision | Identity {
    if (certificate === null) return null
    const username = this.#field === 'cn' ? certificate.commonName : firstName(certificate.san)
    return username === null || !isUsername(username) ? null : { username }
  }
}

/** `DNS:device-7` names device-7. */
function firstName([first]: readonly string[]): string | null {
  return first === undefined ? null : first.slice(first.indexOf(':') + 1)
}
