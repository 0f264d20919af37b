/** A configuration as others than its owner may see it. Secrets are in files; what may still be one is in an address. */

/** The same, but of addresses without user and password, and with `…` for what is in a query: keys of an API stand there. */
export function withoutSecrets(value: unknown): unknown {
  if (typeof value === 'string') return address(value)
  if (Array.isArray(value)) return value.map(withoutSecrets)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, withoutSecrets(inner)]))
}

function address(text: string): string {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return text
  return text.replace(/^([^:]+:\/\/)[^/?#]*@/, '$1…@').replace(/\?.*$/s, '?…')
}
