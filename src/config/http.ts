/** The options of HTTP: where the API, the metrics and the dashboard are, and who may use them. */

import * as z from 'zod'
import { flag, group, integer, text, textOrNull } from './kinds.ts'
import { forwardedFor, isOrigin, originExpected } from './listeners.ts'

const name = 'a host name, such as mqtt.example.com'

export const http = group({
  host: text('an address or a host name')
    .prefault('127.0.0.1')
    .describe('Address that HTTP is offered on. Anything but loopback needs http.tokenFile.'),
  port: z
    .union([integer(0, 65_535), z.null()], { error: 'a whole number from 0 to 65535, or null' })
    .prefault(null)
    .describe('TCP port for HTTP: the API, metrics, health; 0 takes any free one; null: not offered.'),
  tokenFile: textOrNull('the path of a token file').describe(
    'File of tokens, a line each: name, read or operate, and the token itself.',
  ),
  names: z
    .array(z.string({ error: name }).regex(/^[a-z0-9.-]+$/i, { error: name }), { error: `a list: each ${name}` })
    .prefault([])
    .describe('Host names by which HTTP is reached, besides its addresses and localhost; others are refused.'),
  mqtt: flag().prefault(true).describe('Whether MQTT over WebSocket is offered there, at /mqtt.'),
  origins: z
    .array(z.string({ error: originExpected }).regex(isOrigin, { error: originExpected }), {
      error: `a list: each ${originExpected}`,
    })
    .prefault([])
    .describe('Other web sites whose pages may connect to /mqtt, by their origin; its own always may.'),
  forwardedFor,
})
