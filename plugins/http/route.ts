/** Routes as this plugin writes them: zod says what comes in and what goes out, and the OpenAPI document follows from it. */

import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from 'fastify'
import * as z from 'zod'
import type { Guard } from './guard.ts'
import { PROBLEM_SCHEMA, PROBLEM_TYPE, Problem } from './problem.ts'
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
  /** What it answers; left out for nothing at all (204). */
  readonly answer?: z.ZodType
  /** How that is written. Default: as JSON. */
  readonly type?: string
  /** The same in another case, with its status: it cannot do now what it is asked. */
  readonly otherwise?: number
  handle(input: Input<I>, reply: FastifyReply, request: FastifyRequest): unknown
}

/** Types `handle` after what comes in. */
export function route<I extends Inputs>(inputs: I, rest: Omit<Route<I>, keyof Inputs>): Route {
  return { ...inputs, ...rest } as unknown as Route
}

export function addRoute(server: FastifyInstance, guard: Guard, route: Route): void {
  const { method, path, role, answer, handle, body } = route
  server.route({
    method,
    url: path,
    schema: schemaOf(route),
    onRequest: async (request) => {
      if (role !== null) guard.checkRole(request, role)
    },
    handler: async (request, reply) => {
      // What nobody reads is refused, not dropped: it was meant for something.
      if (body === undefined && request.body !== undefined)
        throw new Problem(400, 'REQUEST_INVALID', 'there is no body here')
      reply.header('cache-control', 'no-store')
      const input = { params: request.params, query: request.query, body: request.body }
      const result = await handle(input as never, reply, request)
      return answer === undefined && !reply.sent ? reply.code(204).send() : result
    },
  })
}

/** By its path, a route for the methods that it does not know: they are told which it does. */
export function refuseOtherMethods(server: FastifyInstance, routes: readonly Route[]): void {
  const known = new Map<string, string[]>()
  for (const { path, method } of routes) known.set(path, [...(known.get(path) ?? []), method])
  for (const [url, methods] of known) {
    const allowed = methods.includes('GET') ? [...methods, 'HEAD'] : methods
    const method = METHODS.filter((name) => !allowed.includes(name))
    const refuse = (request: FastifyRequest, reply: FastifyReply): never => {
      reply.header('allow', allowed.join(', '))
      throw new Problem(405, 'METHOD_UNKNOWN', `this knows ${allowed.join(', ')}, not ${request.method}`)
    }
    // At the first hook: whatever is in the body, it is not looked at.
    const onRequest = async (request: FastifyRequest, reply: FastifyReply): Promise<never> => refuse(request, reply)
    server.route({ method, url, schema: { hide: true } as object, onRequest, handler: refuse })
  }
}

const METHODS: HTTPMethods[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

function schemaOf({ method, path, role, tag, summary, params, query, body, answer, type, otherwise }: Route): object {
  const content = answer && { content: { [type ?? 'application/json']: { schema: jsonSchema(answer) } } }
  const done =
    content === undefined
      ? { 204: { description: 'Done.', type: 'null' } }
      : { 200: { description: 'As asked.', ...content } }
  return {
    tags: [tag],
    summary,
    operationId: operationOf(method, path),
    ...(params && { params: jsonSchema(params) }),
    // What is misspelt in a query would else be left out silently: `redrive?limt=5` would move all there are.
    querystring: { ...jsonSchema(query ?? z.object({})), additionalProperties: false },
    ...(body && { body: jsonSchema(body) }),
    response: {
      ...done,
      ...(otherwise !== undefined && { [otherwise]: { description: 'Not now.', ...content } }),
      default: { description: 'What went wrong (RFC 9457).', content: { [PROBLEM_TYPE]: { schema: PROBLEM_SCHEMA } } },
    },
    security: role === null ? [] : [{ token: [] }],
  }
}

/** `getQueuesByNameMessages`, for those who have a client made of the document. */
function operationOf(method: string, path: string): string {
  const words = path.split(/[/.-]/).filter((word) => word !== '')
  const capital = (word: string): string => word[0]!.toUpperCase() + word.slice(1)
  return (
    method.toLowerCase() +
    words.map((word) => (word[0] === ':' ? `By${capital(word.slice(1))}` : capital(word))).join('')
  )
}

/** What fastify checks with and the document shows: JSON Schema as OpenAPI 3.1 has it. */
function jsonSchema(schema: z.ZodType): object {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    target: 'draft-2020-12',
    io: 'input',
    override: ({ jsonSchema }) => {
      // That an integer is one that JavaScript knows exactly goes without saying.
      if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
    },
  })
  return rest
}
