/** A web server for what the broker asks of others: each test says how it answers. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'

export interface WebServer {
  readonly url: string
  /** The bodies that came, in order. */
  readonly bodies: string[]
  readonly heads: IncomingMessage[]
  /** Connections that were opened. */
  readonly sockets: number
  /** How it answers from now on. */
  answer: (response: ServerResponse, body: string) => void
  /** Close it, with all its connections; may be opened again. */
  close(): Promise<void>
  open(): Promise<void>
}

/** Answers with JSON. */
export function json(value: unknown, status = 200): WebServer['answer'] {
  return (response) =>
    void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
}

/** A server on a free port of this machine; closed when the test ends. */
export async function startWebServer(answer: WebServer['answer']): Promise<WebServer> {
  let port = 0
  let sockets = 0
  const bodies: string[] = []
  const heads: IncomingMessage[] = []
  const http = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => {
      body += chunk
    })
    request.on('end', () => {
      bodies.push(body)
      heads.push(request)
      server.answer(response, body)
    })
  })
  http.on('connection', () => sockets++)
  const server: WebServer = {
    get url() {
      return `http://127.0.0.1:${port}/asked`
    },
    get sockets() {
      return sockets
    },
    bodies,
    heads,
    answer,
    async open() {
      await new Promise<void>((resolve) => http.listen(port, '127.0.0.1', resolve))
      port = (http.address() as AddressInfo).port
    },
    async close() {
      http.closeAllConnections()
      await new Promise<void>((resolve) => http.close(() => resolve()))
    },
  }
  await server.open()
  onTestFinished(() => (http.listening ? server.close() : undefined))
  return server
}
