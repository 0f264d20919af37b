/**
 * The dashboard: a page at `/` that talks to the API like any other client. Its files are served as they are written, from the folder
 * beside this one (`npm run build` copies it), and what draws the charts and speaks MQTT from packages. They hold no secret, so they take no token.
 */

import { createRequire } from 'node:module'
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'

const FOLDER = join(import.meta.dirname, 'dashboard')
/** What the page has from packages: what it is called there, and the file of the package. */
const FOREIGN = [
  { name: 'uplot.js', package: 'uplot', file: 'uPlot.esm.js' },
  { name: 'uplot.css', package: 'uplot', file: 'uPlot.min.css' },
  { name: 'mqtt.js', package: 'mqtt', file: 'mqtt.esm.js' },
]

export async function dashboardRoutes(server: FastifyInstance): Promise<void> {
  await server.register(fastifyStatic, {
    root: FOLDER,
    prefix: '/dashboard/',
    wildcard: false,
    index: false,
    // Files from npm all bear the same time: what is told by time and size would keep an old page after an upgrade.
    etag: false,
    lastModified: false,
    cacheControl: false,
    setHeaders: (reply) => reply.header('cache-control', 'no-cache'),
  })
  const hidden = { schema: { hide: true } as object }
  server.get('/', hidden, (_request, reply) => reply.sendFile('index.html'))
  for (const { name, package: from, file } of FOREIGN) {
    const folder = distOf(from)
    server.get(`/dashboard/${name}`, hidden, (_request, reply) => reply.sendFile(file, folder))
  }
}

/** The folder of a package that has what is made for browsers. */
function distOf(name: string): string {
  const main = createRequire(import.meta.url).resolve(name)
  return join(main.slice(0, main.lastIndexOf(join('node_modules', name))), 'node_modules', name, 'dist')
}
