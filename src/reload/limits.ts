/** Limits of the configuration as the parts of the broker take them. Pure. */

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
    maxUnfinishedBytes: limits.maxUnfinishedBytes ?? Infinity,
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
