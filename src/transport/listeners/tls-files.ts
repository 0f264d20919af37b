/**
 * The files of a TLS listener: read, checked against each other, and told apart when one is not right. What OpenSSL says
 * of a bad file names neither the file nor what was expected of it.
 */

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { createSecureContext, type SecureContextOptions, type SecureVersion } from 'node:tls'
import { EventflowError } from '../../core/errors.ts'

export interface TlsOptions {
  readonly cert: string
  readonly key: string
  readonly passphraseFile: string | null
  readonly ca: string | null
  readonly crl: string | null
  readonly clientCertificate: 'none' | 'request' | 'require'
  readonly minVersion: SecureVersion
}

/** The paths that `options` name. */
export function filesOf({ cert, key, passphraseFile, ca, crl }: TlsOptions): string[] {
  return [cert, key, passphraseFile, ca, crl].filter((path) => path !== null)
}

/**
 * What the files hold.
 * @param where the group of options that names them: `listeners.tls`
 * @throws EventflowError TLS_FILE_INVALID that names the option and the file
 */
export async function readTlsFiles(options: TlsOptions, where: string): Promise<SecureContextOptions> {
  const read = (option: 'cert' | 'key' | 'passphraseFile' | 'ca' | 'crl') =>
    readText(options[option]!, `${where}.${option}`)
  const cert = await read('cert')
  const [certificate] = certificatesOf(cert, options.cert, `${where}.cert`)
  const passphrase = options.passphraseFile === null ? undefined : firstLine(await read('passphraseFile'))
  const key = privateKeyOf(await read('key'), passphrase, options, where)
  if (!certificate!.checkPrivateKey(key)) {
    throw invalid(`${where}.key: ${options.key} is not the key of the certificate in ${options.cert}`)
  }
  const context: SecureContextOptions = { cert, key: key.export({ type: 'pkcs8', format: 'pem' }) }
  context.minVersion = options.minVersion
  if (options.ca === null) return context
  const ca = await read('ca')
  certificatesOf(ca, options.ca, `${where}.ca`)
  if (options.crl === null) return { ...context, ca }
  return { ...context, ca, crl: revocationListsOf(await read('crl'), options.crl, `${where}.crl`) }
}

async function readText(path: string, option: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw invalid(`${option}: ${path} ${code === 'ENOENT' ? 'does not exist' : `cannot be read (${code})`}`, cause)
  }
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs

const REVOCATION_LIST = /-----BEGIN X509 CRL-----.*?-----END X509 CRL-----/gs

/** Every revocation list in `pem`, at least one: OpenSSL takes one at a time. */
function revocationListsOf(pem: string, path: string, option: string): string[] {
  const found = pem.match(REVOCATION_LIST) ?? []
  if (found.length === 0) throw invalid(`${option}: ${path} has no revocation list in it; expected PEM`)
  for (const [i, crl] of found.entries()) {
    try {
      createSecureContext({ crl })
    } catch (cause) {
      throw invalid(`${option}: revocation list ${i + 1} in ${path} cannot be read: ${(cause as Error).message}`, cause)
    }
  }
  return found
}

/** Every certificate in `pem`: at least one. */
function certificatesOf(pem: string, path: string, option: string): X509Certificate[] {
  const found = pem.match(CERTIFICATE) ?? []
  if (found.length === 0) throw invalid(`${option}: ${path} has no certificate in it; expected PEM`)
  return found.map((text, i) => {
    try {
      return new X509Certificate(text)
    } catch (cause) {
      throw invalid(`${option}: certificate ${i + 1} in ${path} cannot be read: ${(cause as Error).message}`, cause)
    }
  })
}

function privateKeyOf(pem: string, passphrase: string | undefined, { key }: TlsOptions, where: string): KeyObject {
  try {
    return createPrivateKey(passphrase === undefined ? pem : { key: pem, passphrase })
  } catch (cause) {
    throw invalid(`${where}.key: ${key} ${keyProblem(pem, cause as NodeJS.ErrnoException, passphrase, where)}`, cause)
  }
}

function keyProblem(pem: string, { code, message }: NodeJS.ErrnoException, passphrase: unknown, where: string): string {
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) return 'has no private key in it; expected PEM'
  if (!pem.includes('ENCRYPTED')) return `cannot be read: ${message}`
  if (passphrase === undefined) return `is encrypted; name the file of its passphrase in ${where}.passphraseFile`
  return `cannot be read with the passphrase in ${where}.passphraseFile (${code ?? message})`
}

function firstLine(text: string): string {
  return text.split(/\r?\n/, 1)[0]!
}

function invalid(message: string, cause?: unknown): EventflowError {
  return new EventflowError('TLS_FILE_INVALID', message, { cause })
}
