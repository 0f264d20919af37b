/**
 * What HTTP needs of the rest of the house beyond the contract of plugins: asked for by name, so that a broker without one of
 * them still has the others. Each says as little as is used here.
 */

import type { IncomingMessage } from 'node:http'
import type { Socket } from 'node:net'
import type { Message, PluginContext } from '../../src/plugin.ts'
import { Problem } from './problem.ts'

/** What `eventflow.ts` provides as `broker`. */
export interface BrokerPort {
  readonly startedAt: number
  readonly listeners: ReadonlyArray<{ name: string; url: string }>
  /** Every option with the value that is in force. */
  configuration(): Readonly<Record<string, unknown>>
  /** Whether everyone may do everything. */
  isOpen(): boolean
  /** Whether anybody has to say who they are. */
  hasUsers(): boolean
  readonly webSocket: WebSocketPort
}

/** The way in for MQTT over WebSocket. */
export interface WebSocketPort {
  /** A request to upgrade becomes an MQTT connection. @throws Refusal when it cannot; nothing was answered then */
  upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void
  /** Tell (`client.connecting-refused`) that one was turned away; reasonCode null: before it came to MQTT. */
  refused(request: IncomingMessage, message: string, reasonCode: number | null): void
}

/** What publish/subscribe provides as `retained`. */
export interface RetainedPort {
  /** Goes through the messages that `filter` matches; null: all. */
  cursor(filter: string | null): { readonly done: boolean; next(limit: number): Message | null }
}

export interface QueueNumbers {
  readonly name: string
  readonly length: number
  readonly ready: number
  readonly inFlight: number
  readonly delayed: number
  readonly resting: number
  readonly consumers: number
}

export interface QueueTotals extends Omit<QueueNumbers, 'name' | 'consumers'> {
  readonly count: number
  /** Messages a second. */
  readonly rates: { readonly in: number; readonly out: number }
}

/** What the plugin `queue` lets programs call, as far as it is called here. */
export interface QueuesPort {
  names(): Iterable<string>
  some(names: readonly string[]): QueueNumbers[]
  longest(limit: number, isWanted?: (name: string) => boolean): QueueNumbers[]
  totals(): QueueTotals
  show(name: string): Promise<object>
  peek(name: string, limit: number, maxBytes: number): Promise<Array<{ payload: Buffer }>>
  pause(name: string): Promise<void>
  resume(name: string): Promise<void>
  purge(name: string): Promise<number>
  delete(name: string): Promise<number>
  redrive(name: string, options: { limit?: number }): Promise<{ moved: number; left: number }>
}

/** What `eventflow.ts` provides as `backups`. */
export interface BackupsPort {
  readonly latest: BackupStatus | null
  start(path: string): BackupStatus
}

export interface BackupStatus {
  readonly state: 'running' | 'finished' | 'failed'
  readonly path: string
  readonly startedAt: number
  readonly endedAt: number
  readonly records: number
  readonly bytes: number
  readonly damaged: number
  readonly damagedKeys: readonly string[]
  readonly fault: { code: string; message: string } | null
}

export class Ports {
  readonly #context: PluginContext<never>

  constructor(context: PluginContext<never>) {
    this.#context = context
  }

  get broker(): BrokerPort {
    return this.#find('broker') as BrokerPort
  }

  get retained(): RetainedPort {
    return this.#find('retained') as RetainedPort
  }

  get queues(): QueuesPort {
    return this.#find('queue') as QueuesPort
  }

  get backups(): BackupsPort {
    return this.#find('backups') as BackupsPort
  }

  #find(name: string): object {
    const api = this.#context.api(name)
    if (api === undefined) throw new Problem(503, 'PART_MISSING', `this broker runs without '${name}'`)
    return api
  }
}
