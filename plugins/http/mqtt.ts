/**
 * MQTT over WebSocket at /mqtt. A request to upgrade is routed as any other, so that the guard sees it and what is wrong with it
 * is answered as HTTP does; then its socket is the broker's, where MQTT asks who the client is.
 *
 * A broker without users asks nobody, and it is on loopback only. HTTP may be elsewhere when there are tokens, or somebody may have put a
 * proxy before it: so then it takes a token that may change things to come to MQTT this way.
 */

import { type IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { ReasonCode, Refusal } from '../../src/plugin.ts'
import type { Guard } from './guard.ts'
import type { Ports } from './ports.ts'
import { Problem } from './problem.ts'

export const MQTT_PATH = '/mqtt'
const TOKEN_PREFIX = 'eventflow-token.'

interface Upgrade {
  readonly socket: Socket
  readonly head: Buffer
  readonly response: ServerResponse
}

export interface MqttParts {
  guard: Guard
  ports: Ports
  isServing: () => boolean
}

export function isForMqtt({ routeOptions }: FastifyRequest): boolean {
  return routeOptions.url === MQTT_PATH
}

export function addMqtt(server: FastifyInstance, { guard, ports, isServing }: MqttParts): void {
  const upgrades = new WeakMap<IncomingMessage, Upgrade>()
  server.server.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) => {
    // Whoever serves the connection has an ear of its own; until then there is nobody to be told.
    socket.removeListener('error', ignore).on('error', ignore)
    if (request.headers.upgrade?.toLowerCase() !== 'websocket') {
      serveWithoutUpgrade(server, request, socket, head)
      return
    }
    const response = responseOn(socket, request)
    upgrades.set(request, { socket, head, response })
    server.routing(request, response)
  })
  server.get(MQTT_PATH, {
    schema: { hide: true } as object,
    onRequest: async (request) => {
      if (guard.tokens === null || ports.broker.hasUsers()) return
      takeOfferedToken(request)
      guard.checkRole(request, 'operate')
    },
    onError: async ({ raw }, _reply, error) => {
      if (!upgrades.has(raw)) return
      ports.broker.webSocket.refused(raw, error.message, error instanceof Refusal ? error.code : null)
    },
    handler: async (request, reply) => {
      const upgrade = upgrades.get(request.raw)
      if (upgrade === undefined) {
        reply.header('upgrade', 'websocket')
        throw new Problem(426, 'UPGRADE_MISSING', 'this is MQTT over WebSocket: ask for an upgrade')
      }
      if (!isServing()) throw new Problem(503, 'NOT_SERVING', 'the broker is starting or stopping')
      const { socket, head, response } = upgrade
      response.detachSocket(socket)
      try {
        ports.broker.webSocket.upgrade(request.raw, socket, head)
      } catch (error) {
        response.assignSocket(socket)
        throw problemOf(error)
      }
      reply.hijack()
    },
  })
}

/** A page cannot send headers with its WebSocket: it offers the token as one more subprotocol, in base64url. */
function takeOfferedToken({ headers }: FastifyRequest): void {
  const offered = (headers['sec-websocket-protocol'] ?? '').split(',').map((name) => name.trim())
  const token = offered.find((name) => name.startsWith(TOKEN_PREFIX))?.slice(TOKEN_PREFIX.length)
  if (token) headers.authorization ??= `Bearer ${Buffer.from(token, 'base64url')}`
}

/**
 * Java's client asks for HTTP/2 with each request, and takes what it gets. Node.js has read only its header: the server gets it again,
 * as if no upgrade had been asked for, with the body that follows.
 */
function serveWithoutUpgrade(
  { server }: FastifyInstance,
  request: IncomingMessage,
  socket: Socket,
  head: Buffer,
): void {
  const { method, url, httpVersion, rawHeaders } = request
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    if (name !== 'upgrade' && name !== 'connection') lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`)
  }
  if (/\bclose\b/i.test(request.headers.connection ?? '')) lines.push('Connection: close')
  socket.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]))
  server.emit('connection', socket)
}

/** Node.js has handed the socket over and answers nothing on it any more: this answers what is refused. */
function responseOn(socket: Socket, request: IncomingMessage): ServerResponse {
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  response.once('finish', () => socket.destroySoon())
  return response
}

function ignore(): void {}

/** What is no WebSocket is HTTP's to tell; what the broker refuses is told with its reason code. */
function problemOf(error: unknown): unknown {
  const isInvalid = error instanceof Refusal && error.code === ReasonCode.ProtocolError
  return isInvalid ? new Problem(400, 'WEBSOCKET_INVALID', error.message) : error
}
