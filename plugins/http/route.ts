/** Routes as this plugin writes them: zod says what comes in and what goes out, and the OpenAPI document follows from it. */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import * as z from 'zod'
import type { Guard } from './guard.ts'
import type { Role } from './tokens.ts'

interface Inputs {
  params?: z.ZodObject
  query?: z.ZodObject
  body?: z.ZodObject
}

type Input<I extends Inputs> = { [K in keyof I]: z.output<NonNullable<I[K]>> }

export interface Route<I extends Inputs = Inputs> extends Inputs {
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly path: string
  /** What a token must allow; null: none is asked for. */
  readonly role: Role | null
  readonly tag: string
  /** One line for the document. */
  readonly summary: string
  /** What it answers; left out for what is no JSON, or nothing at all (204). */
  readonly answer?: z.ZodType
  handle(input: Input<I>, reply: FastifyReply, request: FastifyRequest): unknown
}

/** Types `handle` after what comes in. */
export function route<I extends Inputs>(inputs: I, rest: Omit<Route<I>, keyof Inputs>): Route {
  return { ...inputs, ...rest } as unknown as Route
}

export function addRoute(server: FastifyInstance, guard: Guard, route: Route): void {
  const { method, path, role, tag, summary, params, query, body, answer, handle } = route
  server.route({
    method,
    url: path,
    schema: {
      tags: [tag],
      summary,
      ...(params && { params: jsonSchema(params) }),
      ...(query && { querystring: jsonSchema(query) }),
      ...(body && { body: jsonSchema(body) }),
      response: answer === undefined ? { 204: { description: 'Done.', type: 'null' } } : { 200: jsonSchema(answer) },
      ...(role !== null && { security: [{ token: [] }] }),
    },
    onRequest: async (request) => {
      if (role !== null) guard.checkRole(request, role)
    },
    handler: async (request, reply) => {
      const input = { params: request.params, query: request.query, body: request.body }
      const result = await handle(input as never, reply, request)
      return answer === undefined && !reply.sent ? reply.code(204).send() : result
    },
  })
}

/** What fastify checks with and the document shows: JSON Schema, draft 7. */
function jsonSchema(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { target: 'draft-7', io: 'input' })
  return rest
}
