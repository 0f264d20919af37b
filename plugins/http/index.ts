/** HTTP: the API, metrics and health of a running broker. Nothing of it is on the path of a message. */

import type { AddressInfo } from 'node:net'
import type { FastifyInstance, FastifyReply } from 'fastify'
import { type Apply, definePlugin, EventflowError, type PluginContext, type PluginInstance } from '../../src/plugin.ts'
import { Guard } from './guard.ts'
import { makeMetrics } from './metrics/metrics.ts'
import { MQTT_PATH } from './mqtt.ts'
import type { HttpOptions } from './options.ts'
import { Ports } from './ports.ts'
import { Rates } from './rates.ts'
import { makeServer } from './server.ts'
import { Tokens } from './tokens.ts'

export type { HttpOptions } from './options.ts'

/** What programs that embed the broker may call. */
export interface HttpControl {
  /** Where HTTP is offered: `http://127.0.0.1:8080`. */
  readonly url: string
}

export const http = definePlugin<HttpOptions>({
  name: 'http',
  async setup(context) {
    const { port, tokenFile } = context.options
    if (port === null) return null
    return new Http(context, port, await tokensOf(tokenFile))
  },
})

function tokensOf(file: string | null): Promise<Tokens | null> {
  return file === null ? Promise.resolve(null) : Tokens.read(file)
}

class Http implements PluginInstance, HttpControl {
  readonly #context: PluginContext<HttpOptions>
  readonly #port: number
  readonly fixed = ['host', 'port', 'names', 'mqtt']
  readonly #guard: Guard
  #tokenFile: string | null
  readonly #streams = new Set<FastifyReply>()
  readonly #rates: Rates
  #server: FastifyInstance | null = null
  #serving = false
  #ignore = (): void => {}

  constructor(context: PluginContext<HttpOptions>, port: number, tokens: Tokens | null) {
    this.#context = context
    this.#port = port
    this.#tokenFile = context.options.tokenFile
    this.#rates = new Rates(context)
    this.#guard = new Guard(context.options, tokens, () => new Ports(context as never).broker.isOpen())
  }

  get api(): HttpControl {
    return this
  }

  get url(): string {
    const { host, port } = this.#place
    return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
  }

  get #mqttUrl(): string | null {
    return this.#context.options.mqtt ? `${this.url.replace('http', 'ws')}${MQTT_PATH}` : null
  }

  get #place(): { host: string; port: number } {
    const { port } = this.#server!.server.address() as AddressInfo
    return { host: this.#context.options.host, port }
  }

  async start(): Promise<void> {
    const context = this.#context as unknown as PluginContext<never>
    const { options, log } = this.#context
    const ports = new Ports(context)
    const guard = this.#guard
    const metrics = makeMetrics(context, ports)
    const isServing = (): boolean => this.#serving
    this.#ignore = context.events.listen(['broker.started', 'broker.stopping'], (type) => {
      this.#serving = type === 'broker.started'
    })
    const mqttUrl = (): string | null => this.#mqttUrl
    this.#server = await makeServer({
      context,
      ports,
      guard,
      metrics,
      rates: this.#rates,
      isServing,
      streams: this.#streams,
      mqttUrl,
      mqtt: options.mqtt,
    })
    try {
      await this.#server.listen({ host: options.host, port: this.#port })
    } catch (cause) {
      const why = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
      throw new EventflowError('LISTEN_FAILED', `HTTP cannot listen on ${options.host}:${this.#port}: ${why}`, {
        cause,
      })
    }
    this.#rates.start()
    const { host, port } = this.#place
    log.info({ host, port }, `HTTP on ${this.url}`)
    if (options.mqtt) context.events.emit('listener.listening', { listener: 'http', host, port })
  }

  files(): string[] {
    return this.#tokenFile === null ? [] : [this.#tokenFile]
  }

  async reload(options: unknown): Promise<Apply> {
    const { tokenFile, origins } = options as HttpOptions
    const tokens = await tokensOf(tokenFile)
    return () => {
      this.#tokenFile = tokenFile
      this.#guard.tokens = tokens
      this.#guard.origins = origins
      // Whose token is no longer good is told no more; others go on.
      for (const reply of this.#streams) if (!this.#guard.lets(reply.request, 'read')) reply.raw.end()
    }
  }

  async stop(): Promise<void> {
    this.#ignore()
    this.#rates.stop()
    const server = this.#server
    if (server === null) return
    const place = this.#context.options.mqtt && server.server.listening ? this.#place : null
    for (const { raw } of this.#streams) raw.end()
    await server.close()
    if (place !== null) this.#context.events.emit('listener.closed', { listener: 'http', ...place })
  }
}
