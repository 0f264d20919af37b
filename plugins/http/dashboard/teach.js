/** What a view says while there is nothing in it: the line for a terminal that fills it. */

import { el } from './dom.js'

/** Where clients connect without TLS, as the overview says. */
let address = ''

export function learnAddress(listeners) {
  const plain = listeners.find(({ url }) => url.startsWith('mqtt://'))
  if (plain === undefined) return
  const { hostname, port } = new URL(plain.url)
  const host = hostname === '127.0.0.1' || hostname === '0.0.0.0' || hostname === '[::]' ? '' : `-h ${hostname} `
  address = `${host}${port === '1883' ? '' : `-p ${port} `}`
}

const line = (text) => el('pre', {}, text)

export const publishLine = (rest) => line(`mosquitto_pub ${address}${rest}`)
export const subscribeLine = (rest) => line(`mosquitto_sub ${address}${rest}`)
