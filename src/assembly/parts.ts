/**
 * The parts of one broker, made from its configuration and joined: nothing is opened or started here but the store, which is
 * there already. In which order they start and stop, lifecycle.ts says.
 */

import type { Config } from '../config/schema.ts'
import { systemClock } from '../core/clock.ts'
import { Counters } from '../core/counters.ts'
import type { Events } from '../core/events.ts'
import { SharedRoom } from '../core/shared-room.ts'
import { LocalClients } from '../embedded/local-clients.ts'
import type { EventChronicle } from '../kernel/chronicle.ts'
import { Kernel } from '../kernel/kernel.ts'
import { Notices } from '../kernel/notices.ts'
import { OverloadWatch } from '../kernel/overload-watch.ts'
import type { Logger, ReloadResult } from '../kernel/plugin-contract.ts'
import { PubSub } from '../pubsub/pubsub.ts'
import {
  kernelLimits,
  maxMemory,
  overloadLimits,
  retainedLimits,
  sessionLimits,
  transportLimits,
} from '../reload/limits.ts'
import type { OutboxLimits } from '../session/outbox.ts'
import { Backups } from '../store/backups.ts'
import type { Store } from '../store/store.ts'
import { Broker } from '../transport/broker.ts'
import { Gate } from '../transport/gate.ts'
import { HttpDoor } from '../transport/listeners/http-door.ts'
import type { Listener } from '../transport/listeners/listener.ts'
import { gateLimits, makeListeners, ownLimits } from '../transport/listeners/make.ts'
import { VERSION } from '../version.ts'
import { TopicTable } from '../wire/topic-table.ts'
import { WriteScheduler } from '../wire/write-buffer.ts'
import { tellBackup, tellShort } from './telling.ts'

export interface Parts {
  store: Store
  backups: Backups
  kernel: Kernel
  pubsub: PubSub
  broker: Broker
  gate: Gate
  /** Memory that all clients share. */
  room: SharedRoom
  /** The one on TCP first. */
  listeners: [Listener, ...Listener[]]
  local: LocalClients
  /** Where plugins hand over clients that came by their own HTTP server. */
  door: HttpDoor
  watch: OverloadWatch
  notices: Notices
  /** The object that all sessions look at. */
  limits: OutboxLimits
}

/** What they are made with, beside the configuration. */
export interface Means {
  store: Store
  events: Events
  chronicle: EventChronicle
  log: Logger
  reload: () => Promise<ReloadResult>
}

export function makeParts(config: Config, { store, events, chronicle, log, reload }: Means): Parts {
  const { node } = config
  const clock = systemClock
  const counters = new Counters()
  const limits = sessionLimits(config)
  const shared = { clock, events, log }
  const room = new SharedRoom(maxMemory(config))
  room.onShort = tellShort(room, shared)
  const about = { node, version: VERSION, reload, chronicle, limits, room, ...kernelLimits(config) }
  const kernel = new Kernel({ ...shared, store, counters, ...about })
  const pubsub = new PubSub({ clock, events, store, counters, limits, room, retained: retainedLimits(config) })
  const { clients, intake, subscriptions } = kernel
  const writing = { scheduler: new WriteScheduler(counters, room), topics: new TopicTable() }
  const lane = { ...shared, clients, intake, subscriptions, store, ...writing, limits: transportLimits(config) }
  const broker = new Broker(lane, ownLimits(config))
  const gate = new Gate(gateLimits(config), clock)
  const entrance = { gate, attach: broker.attach.bind(broker) }
  const listeners = makeListeners(config, { ...shared, ...entrance })
  const door = new HttpDoor(config, { ...entrance, events })
  const local = new LocalClients({ kernel, now: clock.now, log })
  const watch = new OverloadWatch({ ...shared, uptime: () => performance.now(), ...overloadLimits(config) })
  const notices = new Notices(shared)
  const backups = new Backups({ store, clock, folder: config.store.backupPath, onEnd: tellBackup(log, events) })
  return { store, backups, kernel, pubsub, broker, gate, room, listeners, door, local, watch, notices, limits }
}
