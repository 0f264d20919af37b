/** Messages as they are shown wherever they are: what is said of them in a line, and as much of the payload as a person reads. */

import { el } from './dom.js'

/** Bytes of a payload that are asked for, and characters that are shown. */
export const SHOWN_BYTES = 2_000

/** @param facts what is said of it, texts or elements */
export function messageElement(title, facts, payload) {
  const shown = facts.filter((fact) => fact !== '').map((fact) => el('span', { class: 'quiet' }, fact))
  return el('li', {}, el('p', {}, el('strong', {}, title), ...shown), el('pre', {}, payload))
}

/** As the API tells a payload, to be read: what is no text in hexadecimal. @param bytes how long all of it is */
export function readable({ payload, encoding, bytes }) {
  const told = encoding === 'utf8' ? payload : hexOf(Uint8Array.from(atob(payload), (char) => char.charCodeAt(0)))
  const length = encoding === 'utf8' ? new TextEncoder().encode(payload).length : atob(payload).length
  return length < bytes ? `${told}… (${bytes} bytes)` : told
}

/** As a client got it. */
export function readableBytes(bytes) {
  const shown = bytes.subarray(0, SHOWN_BYTES)
  const more = bytes.length > shown.length ? `… (${bytes.length} bytes)` : ''
  try {
    // Of a text that is cut, half a character at the end is let go.
    return new TextDecoder('utf-8', { fatal: true }).decode(shown, { stream: more !== '' }) + more
  } catch {
    return hexOf(shown) + more
  }
}

export function hexOf(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(' ')
}

/** As `name: value`; of the properties of a packet as the package mqtt gives them. */
export function userPropertiesOf({ userProperties = {} }) {
  return Object.entries(userProperties).flatMap(([name, values]) => [values].flat().map((value) => `${name}: ${value}`))
}
