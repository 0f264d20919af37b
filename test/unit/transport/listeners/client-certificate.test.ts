import { expect, it } from 'vitest'
import { namesOf } from '../../../../src/transport/listeners/client-certificate.ts'

it.each([
  ['', []],
  ['DNS:a.example, IP Address:10.0.0.7, URI:urn:x:y', ['DNS:a.example', 'IP Address:10.0.0.7', 'URI:urn:x:y']],
  ['URI:"a, DNS:admin", DNS:b', ['URI:a, DNS:admin', 'DNS:b']],
  ['DNS:"a\\"b"', ['DNS:a"b']],
  ['URI:"a, DNS:admin', []],
  ['nothing', []],
])('the names in %j are %j', (text, names) => {
  expect(namesOf(text)).toEqual(names)
})
