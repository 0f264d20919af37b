/** The HTTP server put together: guard, errors, routes, the document that describes them, and the dashboard. */

import type { IncomingMessage } from 'node:http'
import helmet from '@fastify/helmet'
import swagger from '@fastify/swagger'
import fastify, { type FastifyInstance, type FastifyReply } from 'fastify'
import { backupRoutes } from './api/backup.ts'
import { type BrokerParts, brokerRoutes } from './api/broker.ts'
import { clientRoutes } from './api/clients.ts'
import { eventRoutes } from './api/events.ts'
import { publishRoutes } from './api/publish.ts'
import { queueRoutes } from './api/queues.ts'
import { retainedRoutes } from './api/retained.ts'
import { dashboardRoutes } from './dashboard.ts'
import type { Guard } from './guard.ts'
import { healthRoutes } from './health.ts'
import { type Metrics, metricsRoute } from './metrics/metrics.ts'
import { addMqtt, isForMqtt } from './mqtt.ts'
import { errorHandler, Problem, refuseConnection, sendProblem } from './problem.ts'
import { addRoute, type Route, refuseOtherMethods } from './route.ts'
import { makeValidators } from './validation.ts'

/** Bytes of a request's body: a payload in base64, and some. */
const MAX_BODY = 16 * 1024 * 1024
const API = '/api/v1'

export interface ServerParts extends BrokerParts {
  guard: Guard
  metrics: Metrics
  /** Whether clients are let in: not before all has started, nor once the broker stops. */
  isServing: () => boolean
  /** Answers that go on until they are ended. */
  streams: Set<FastifyReply>
  mqtt: boolean
}

export async function makeServer(parts: ServerParts): Promise<FastifyInstance> {
  const { context, ports, guard, metrics, isServing, streams } = parts
  const handleError = errorHandler(context.log)
  const server = fastify({
    bodyLimit: MAX_BODY,
    forceCloseConnections: true,
    // Names of clients and queues are parts of paths, and as long as MQTT lets them be.
    routerOptions: { maxParamLength: 3 * 65_535 },
    clientErrorHandler: refuseConnection,
    frameworkErrors: (error, request, reply) => void handleError(error, request, reply),
  })
  server.setErrorHandler(handleError)
  server.setValidatorCompiler(makeValidators())
  server.setNotFoundHandler((request, reply) =>
    sendProblem(
      reply,
      new Problem(404, 'PATH_UNKNOWN', `there is nothing at ${request.method} ${request.url.split('?', 1)[0]}`),
    ),
  )
  // Only JSON: what a form of another site can send must change nothing.
  server.removeContentTypeParser('text/plain')
  // The schemas describe what routes answer; nothing is left out of it for them.
  server.setSerializerCompiler(() => (data) => JSON.stringify(data))
  server.addHook('onRequest', async (request) => guard.checkSource(request, isForMqtt(request) ? guard.origins : []))
  await server.register(helmet, {
    // Not helmet's defaults: they ask browsers for https, and let styles be written inline.
    contentSecurityPolicy: { useDefaults: false, directives: CONTENT },
    frameguard: { action: 'deny' },
    // The broker is often without TLS, on loopback; whoever puts TLS before it says this there.
    hsts: false,
  })
  if (parts.mqtt) addMqtt(server, { guard, ports, isServing })
  await server.register(swagger, { openapi: DOCUMENT(context.version) })
  await server.register(async (scope) => {
    addRoutes(scope, guard, [...healthRoutes(context, isServing), metricsRoute(metrics)])
  })
  await server.register(dashboardRoutes)
  await server.register(
    async (scope) => {
      const routes = [
        ...brokerRoutes(parts),
        ...backupRoutes(ports),
        ...clientRoutes(context),
        ...queueRoutes(ports),
        ...retainedRoutes(context, ports),
        ...publishRoutes(context),
        ...eventRoutes(context, ports, streams),
      ]
      addRoutes(scope, guard, routes)
      scope.get('/openapi.json', { schema: { hide: true } as object }, async () => server.swagger())
    },
    { prefix: API },
  )
  return server
}

function addRoutes(server: FastifyInstance, guard: Guard, routes: readonly Route[]): void {
  for (const route of routes) addRoute(server, guard, route)
  refuseOtherMethods(server, routes)
}

/** To MQTT over WebSocket, which not every browser takes for `'self'`. The guard has seen that the name is ours. */
const toMqtt =
  (scheme: string) =>
  ({ headers }: IncomingMessage): string =>
    `${scheme}://${headers.host}`

/** What a page from here may load and do: what is here, in files of its own. */
const SELF = ["'self'"]
const NOBODY = ["'none'"]
const CONTENT = {
  ...{ defaultSrc: NOBODY, scriptSrc: SELF, styleSrc: SELF, imgSrc: SELF },
  connectSrc: [...SELF, toMqtt('ws'), toMqtt('wss')],
  ...{ baseUri: NOBODY, formAction: NOBODY, frameAncestors: NOBODY },
}

const DOCUMENT = (version: string) => ({
  openapi: '3.1.0',
  info: {
    title: 'Eventflow',
    version,
    description: 'Look at a running broker and steer it. Errors are application/problem+json (RFC 9457) with a `code`.',
  },
  components: { securitySchemes: { token: { type: 'http' as const, scheme: 'bearer' } } },
})
