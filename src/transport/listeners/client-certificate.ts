/** What a client's certificate says of it, from Node.js's way of telling it. Pure. */

import type { X509Certificate } from 'node:crypto'
import type { ClientCertificate } from '../../kernel/plugin-contract.ts'

export function describeCertificate(certificate: X509Certificate): ClientCertificate {
  const { subject, subjectAltName, fingerprint256: fingerprint } = certificate
  return { commonName: commonNameOf(certificate), subject, san: namesOf(subjectAltName ?? ''), fingerprint }
}

/** Of two common names none counts: who reads the other one would take the client for somebody else. */
function commonNameOf(certificate: X509Certificate): string | null {
  const { CN } = certificate.toLegacyObject().subject as { CN?: string | string[] }
  return typeof CN === 'string' && CN !== '' ? CN : null
}

/**
 * `DNS:a, URI:"b, c"`: a value in which something could mislead is in quotes, as JSON. If any of it is not understood,
 * none of it counts: a name must not be read out of the middle of another.
 */
export function namesOf(text: string): string[] {
  const names: string[] = []
  const entry = /([^:,"]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?:, |$)/y
  while (entry.lastIndex < text.length) {
    const [, kind, value] = entry.exec(text) ?? []
    if (kind === undefined || value === undefined) return []
    names.push(`${kind}:${value.startsWith('"') ? unquoted(value) : value}`)
  }
  return names
}

function unquoted(value: string): string {
  try {
    return JSON.parse(value) as string
  } catch {
    return ''
  }
}
