/**
 * The dashboard: a page at `/` that talks to the API like any other client. Its files are served as they are written, from the folder
 * beside this one (`npm run build` copies it), and the charts' code from the package uplot. They hold no secret, so they take no token.
 */

import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'

const FOLDER = join(import.meta.dirname, 'dashboard')

export async function dashboardRoutes(server: FastifyInstance): Promise<void> {
  const uplot = dirname(createRequire(import.meta.url).resolve('uplot'))
  server.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', 'no-cache')
  })
  await server.register(fastifyStatic, {
    root: FOLDER,
    prefix: '/dashboard/',
    wildcard: false,
    index: false,
    // Files from npm all bear the same time: what is told by time and size would keep an old page after an upgrade.
    etag: false,
    lastModified: false,
    cacheControl: false,
  })
  const hidden = { schema: { hide: true } as object }
  server.get('/', hidden, (_request, reply) => reply.sendFile('index.html'))
  server.get('/dashboard/uplot.js', hidden, (_request, reply) => reply.sendFile('uPlot.esm.js', uplot))
  server.get('/dashboard/uplot.css', hidden, (_request, reply) => reply.sendFile('uPlot.min.css', uplot))
}
