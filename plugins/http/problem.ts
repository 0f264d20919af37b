/** What goes wrong, told as RFC 9457 says: `application/problem+json` with status, title, detail and a code. */

import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { EventflowError, type Logger, Refusal } from '../../src/plugin.ts'

export const PROBLEM_TYPE = 'application/problem+json'

/** Of what is answered then. */
export const PROBLEM_SCHEMA = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code'],
  properties: {
    type: { type: 'string', const: 'about:blank' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'For people.' },
    code: { type: 'string', description: 'For programs: it stays as it is.' },
  },
} as const

/** A request that cannot be served: thrown by routes. */
export class Problem extends Error {
  readonly status: number
  readonly code: string

  /** @param code stable, for programs: `CLIENT_UNKNOWN` */
  constructor(status: number, code: string, detail: string) {
    super(detail)
    this.status = status
    this.code = code
  }
}

const TITLES = new Map([
  [400, 'Bad request'],
  [401, 'Not authenticated'],
  [403, 'Not allowed'],
  [404, 'Not found'],
  [405, 'Method not allowed'],
  [408, 'Too slow'],
  [409, 'Conflict'],
  [413, 'Too large'],
  [414, 'URL too long'],
  [415, 'Unsupported media type'],
  [421, 'Misdirected request'],
  [422, 'Not accepted by the broker'],
  [426, 'Upgrade required'],
  [431, 'Header too large'],
  [503, 'Not available'],
])

/** Faults of Eventflow that are the request's. */
const STATUS_OF_CODES = new Map([
  ['QUEUE_UNKNOWN', 404],
  ['QUEUE_IN_USE', 409],
  ['CONFIG_INVALID', 422],
  ['ACCESS_FILE_INVALID', 422],
  ['TLS_FILE_INVALID', 422],
  ['STORE_FAILED', 503],
  ['BACKUP_REFUSED', 409],
])

export function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  if (problem.status === 401) reply.header('www-authenticate', 'Bearer')
  return reply.code(problem.status).type(PROBLEM_TYPE).send(textOf(problem))
}

function textOf({ status, code, message }: Problem): string {
  const title = TITLES.get(status) ?? 'Failed'
  // Not `about:blank` alone: programs look at `code`, people at the rest.
  return JSON.stringify({ type: 'about:blank', title, status, detail: message, code })
}

/** Answers what is no HTTP, or not all of it, before there is a request; and ends the connection. */
export function refuseConnection(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy(error)
    return
  }
  const problem = problemOfBytes(error.code)
  const { status } = problem
  const body = textOf(problem)
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, 'Connection: close', `Content-Type: ${PROBLEM_TYPE}`]
  socket.end(`${lines.join('\r\n')}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`)
}

function problemOfBytes(code: string | undefined): Problem {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new Problem(408, 'REQUEST_LATE', 'the request did not come in time')
  if (code === 'HPE_HEADER_OVERFLOW') return new Problem(431, 'HEADER_TOO_LARGE', 'the URL and the header are too long')
  if (code === 'HPE_INVALID_METHOD') return new Problem(400, 'METHOD_UNKNOWN', 'there is no such method')
  return new Problem(400, 'REQUEST_INVALID', 'this is no HTTP')
}

/** Answers a request that failed. What is our own fault is logged whole, and told without what is inside. */
export function errorHandler(log: Logger) {
  return (error: FastifyError, request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const problem = problemOf(error)
    if (problem.status >= 500 && problem.code === 'INTERNAL') {
      log.error({ error, method: request.method, path: request.url.split('?', 1)[0] }, 'an HTTP request failed')
    }
    return sendProblem(reply, problem)
  }
}

function problemOf(error: FastifyError | Error): Problem {
  if (error instanceof Problem) return error
  if (error instanceof Refusal) return new Problem(422, `MQTT_0X${hex(error.code)}`, error.message)
  if (error instanceof EventflowError) {
    const status = STATUS_OF_CODES.get(error.code)
    if (status !== undefined) return new Problem(status, error.code, error.message)
  }
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : 500
  if (status < 500) return new Problem(status, CODE_OF_STATUS.get(status) ?? 'REQUEST_INVALID', error.message)
  return new Problem(500, 'INTERNAL', 'this request met a fault of the broker; its log says which')
}

const CODE_OF_STATUS = new Map([
  [413, 'BODY_TOO_LARGE'],
  [414, 'URL_TOO_LONG'],
  [415, 'BODY_NOT_JSON'],
])

function hex(code: number): string {
  return code.toString(16).toUpperCase().padStart(2, '0')
}
