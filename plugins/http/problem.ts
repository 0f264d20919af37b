/** What goes wrong, told as RFC 9457 says: `application/problem+json` with status, title, detail and a code. */

import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { EventflowError, type Logger, Refusal } from '../../src/plugin.ts'

export const PROBLEM_TYPE = 'application/problem+json'

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
  [409, 'Conflict'],
  [413, 'Too large'],
  [415, 'Unsupported media type'],
  [421, 'Misdirected request'],
  [422, 'Not accepted by the broker'],
  [426, 'Upgrade required'],
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

export function sendProblem(reply: FastifyReply, { status, code, message }: Problem): FastifyReply {
  const title = TITLES.get(status) ?? 'Failed'
  // Not `about:blank` alone: programs look at `code`, people at the rest.
  const body = { type: 'about:blank', title, status, detail: message, code }
  return reply.code(status).type(PROBLEM_TYPE).send(JSON.stringify(body))
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
  if (status < 500) return new Problem(status, 'REQUEST_INVALID', error.message)
  return new Problem(500, 'INTERNAL', 'this request met a fault of the broker; its log says which')
}

function hex(code: number): string {
  return code.toString(16).toUpperCase().padStart(2, '0')
}
