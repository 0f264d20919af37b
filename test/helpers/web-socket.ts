/** A raw MQTT client on a WebSocket, whose frames a test chooses. */

import { type Duplex, PassThrough } from 'node:stream'
import { onTestFinished } from 'vitest'
import { type ClientOptions, WebSocket } from 'ws'
import { RawClient } from './raw-client.ts'

export interface WebSocketClient {
  readonly ws: WebSocket
  /** Reads what comes; what it sends goes nowhere: send by `ws`. */
  readonly mqtt: RawClient<Duplex>
  /** Resolves with the status code of the close. */
  readonly closed: Promise<number>
}

/** Rejects with the HTTP status when there is no WebSocket. */
export async function openWebSocket(
  url: string,
  protocols: string | string[] = 'mqtt',
  options: ClientOptions = {},
): Promise<WebSocketClient> {
  const ws = new WebSocket(url, protocols, options)
  onTestFinished(() => ws.terminate())
  const stream = new PassThrough()
  const mqtt = new RawClient<Duplex>(stream, 4)
  ws.on('message', (data: Buffer) => void stream.write(data))
  const closed = new Promise<number>((resolve) => ws.once('close', (code) => resolve(code)))
  void closed.then(() => stream.end())
  await new Promise<void>((resolve, reject) => {
    ws.once('open', () => resolve())
    ws.once('unexpected-response', (_request, response) => reject(new Error(`HTTP ${response.statusCode}`)))
    ws.once('error', reject)
  })
  ws.on('error', () => {})
  return { ws, mqtt, closed }
}
