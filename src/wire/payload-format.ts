/** The Payload Format Indicator of MQTT 5.0 (section 3.3.2.3.2), taken at its word: for who wants it checked. */

import { isUtf8 } from 'node:buffer'
import { PropertyWalker } from './property-reader.ts'
import { PropertyId, PropertyPlace } from './property-table.ts'

/**
 * Whether the payload is what its properties say: well-formed UTF-8 where they say text, anything else.
 * @param properties of a PUBLISH or a will, checked, as they are passed on; null: none
 */
export function payloadIsAsDeclared(properties: Buffer | null, payload: Buffer): boolean {
  return properties === null || !declaresText(properties) || isUtf8(payload)
}

function declaresText(properties: Buffer): boolean {
  walker.begin(properties, 0, properties.length, PropertyPlace.Publish)
  let text = false
  while (walker.next()) if (walker.id === PropertyId.PayloadFormatIndicator) text = walker.number() === 1
  return text
}

/** Walked to the end each time, so one serves all. */
const walker = new PropertyWalker()
