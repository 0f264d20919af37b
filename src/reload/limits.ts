/** Limits of the configuration as the parts of the broker take them. Pure. */

import { totalmem } from 'node:os'
import { getHeapStatistics } from 'node:v8'
import type { Config } from '../config/schema.ts'
import type { SlowDownLimits } from '../kernel/slow-down.ts'
import type { OutboxLimits } from '../session/outbox.ts'
import { NEVER_EXPIRES } from '../session/session.ts'
import type { TransportLimits } from '../transport/lane-parts.ts'

export function transportLimits({ mqtt, session, access, limits }: Config): TransportLimits {
  return {
    maxPacketSize: mqtt.maxPacketSize,
    maxConnectSize: mqtt.maxConnectSize,
    maxTopicLevels: mqtt.maxTopicLevels,
    maxTopicBytes: mqtt.maxTopicLength,
    receiveMaximum: mqtt.receiveMaximum,
    topicAliasMaximum: mqtt.topicAliasMaximum,
    checkPayloadFormat: mqtt.checkPayloadFormat,
    maxKeepAliveSeconds: mqtt.maxKeepAlive === 'none' ? 0 : Math.floor(mqtt.maxKeepAlive / 1000),
    connectTimeoutMs: mqtt.connectTimeout,
    maxSocketBuffer: session.maxSocketBuffer,
    publishDenied: access.publishDenied,
    maxHalfOpen: limits.maxHalfOpen,
    messageRate: limits.messageRate,
    byteRate: limits.byteRate,
    overRate: limits.overRate,
  }
}

export function sessionLimits({ session }: Config): OutboxLimits {
  const { maxInflight, maxQueued, maxQueuedBytes } = session
  return { maxInflight, maxQueued, maxQueuedBytes }
}

/** What becomes of those who guess passwords. */
function slowDownLimits({ access }: Config): SlowDownLimits {
  const { after, initial, max } = access.slowDown
  return { after, initialMs: initial, maxMs: max }
}

/** The longest that a session may outlive its connection. */
function maxExpirySeconds({ session }: Config): number {
  return session.maxExpiry === 'never' ? NEVER_EXPIRES : Math.floor(session.maxExpiry / 1000)
}

export function kernelLimits(config: Config) {
  const { mqtt, limits } = config
  return {
    maxTopicLevels: mqtt.maxTopicLevels,
    maxTopicBytes: mqtt.maxTopicLength,
    maxSubscriptions: limits.maxSubscriptions ?? Infinity,
    maxSessions: limits.maxSessions ?? Infinity,
    maxExpirySeconds: maxExpirySeconds(config),
    slowDown: slowDownLimits(config),
  }
}

/** Bytes of memory for what clients have the broker keep; auto: so much that it is no danger to the process. */
export function maxMemory({ limits }: Config): number {
  if (limits.maxMemory !== 'auto') return limits.maxMemory ?? Number.POSITIVE_INFINITY
  const machine = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY)
  return Math.floor(Math.min(machine / 4, getHeapStatistics().heap_size_limit / 2))
}

export function retainedLimits({ limits: { maxRetained, maxRetainedBytes } }: Config) {
  return { maxMessages: maxRetained ?? Infinity, maxBytes: maxRetainedBytes ?? Infinity }
}

/** How many of the last events are kept, and which. */
export function keepingOf({ status }: Config) {
  return { keep: status.recent, keepMessages: status.recentMessages }
}

/** How late is too late, and for how long. */
export function overloadLimits({ overload }: Config) {
  return { limitMs: overload.lag, periodMs: overload.period }
}
