/**
 * The page as an MQTT client: a connection to the broker's own MQTT over WebSocket, made when somebody wants it. Where the broker asks
 * who it is, a person is asked; what was said is remembered until the page is closed, and nowhere but here.
 */

import { tokenInUse } from './api.js'
import { askUser } from './dialogs.js'

const RETRY_MS = 2_000
const CONNECT_MS = 10_000
/** Reason codes of those who said the wrong thing of themselves, or nothing: MQTT 5.0, 3.2.2.2. */
const WHO = new Set([0x86, 0x87])
let user = {}

/**
 * @param options of the package mqtt, over those from here
 * @returns a client that is connected, and connects again by itself; null: nobody said who it is
 * @throws Error in words for people
 */
export async function connect(options) {
  const { default: mqtt } = await import('./mqtt.js')
  for (;;) {
    try {
      return await connected(mqtt.connect(address(), { ...common(), ...user, ...options }))
    } catch (error) {
      if (!WHO.has(error.code)) throw new Error(`there is no connection: ${error.message}`, { cause: error })
      const given = await askUser(
        'username' in user ? 'the broker does not know you by this' : 'the broker asks who you are',
      )
      if (given === null) return null
      user = given
    }
  }
}

function address() {
  const url = new URL('mqtt', document.baseURI)
  url.protocol = url.protocol.replace('http', 'ws')
  return url.href
}

function common() {
  const token = tokenInUse()
  return {
    protocolVersion: 5,
    clientId: `dashboard-${Math.random().toString(36).slice(2, 10)}`,
    reconnectPeriod: RETRY_MS,
    connectTimeout: CONNECT_MS,
    // Others take a worker made of text, which the Content-Security-Policy keeps out.
    timerVariant: 'native',
    // A page cannot send headers with a WebSocket: where the broker knows no users, the token is one more subprotocol.
    createWebsocket: (url, protocols) =>
      new WebSocket(url, token === null ? protocols : [...protocols, offered(token)]),
  }
}

const offered = (token) => `eventflow-token.${btoa(token).replace(/\+/g, '-').replace(/\//g, '_').replace(/=/g, '')}`

function connected(client) {
  return new Promise((resolve, reject) => {
    const fail = (error) => {
      client.end(true)
      reject(error)
    }
    const closed = () => fail(new Error('MQTT over WebSocket is turned off (http.mqtt), or the broker does not answer'))
    client.once('error', fail)
    client.once('close', closed)
    client.once('connect', () => {
      client.off('error', fail)
      client.off('close', closed)
      // What goes wrong later ends in another try.
      client.on('error', () => {})
      resolve(client)
    })
  })
}
