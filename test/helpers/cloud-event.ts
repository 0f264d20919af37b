/** What every event must be: a CloudEvent by the schema of those, with the data that the catalogue declares for its type. */

import { readFileSync } from 'node:fs'
import { Ajv } from 'ajv'
import addFormats from 'ajv-formats'
import { expect } from 'vitest'
import type { CloudEvent } from '../../src/kernel/event-record.ts'
import { declaredEvents } from './declared-events.ts'

const ajv = new Ajv({ strict: true, strictRequired: false, allowUnionTypes: true, allErrors: true })
addFormats.default(ajv)
const isCloudEvent = ajv.compile(
  JSON.parse(readFileSync(new URL('./cloud-event.schema.json', import.meta.url), 'utf8')) as object,
)
const FIELDS = new Map(declaredEvents())

export function expectCloudEvent(event: CloudEvent): void {
  expect(isCloudEvent(event), JSON.stringify([event, isCloudEvent.errors])).toBe(true)
  expect(Object.keys(event.data).sort(), event.type).toEqual([...FIELDS.get(event.type)!].sort())
  // Flat: a word, a number, or a list of words.
  for (const value of Object.values(event.data).flat()) {
    expect(['string', 'number', 'boolean']).toContain(typeof (value ?? ''))
  }
}
