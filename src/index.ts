/** The public API for programs: `import { Eventflow } from 'eventflow'`. It only re-exports. */

export type {
  ConsumerSummary,
  PeekedMessage,
  QueueControl,
  QueueDetails,
  QueueOptions,
  QueuePolicy,
  QueueRates,
  QueueSummary,
  QueueTotals,
  RedriveOptions,
  RedriveResult,
} from '../plugins/queue/index.ts'
export type { Config, ConfigInput } from './config/schema.ts'
export { EventflowError } from './core/errors.ts'
export type { DisconnectReason, EventListener, EventMap, Events, EventType, RefusalReason } from './core/events.ts'
export type { QoS } from './core/message.ts'
export { ReasonCode, Refusal } from './core/reason-codes.ts'
export type { Job, JobIterator } from './embedded/job.ts'
export type { PublishOptions } from './embedded/local-clients.ts'
export { Eventflow, type EventflowOptions, type ListenerAddress, type ReloadResult } from './eventflow.ts'
export type { EventChronicle, Follower, RecentQuery } from './kernel/chronicle.ts'
export type { CloudEvent, CloudEventOf, EventRecord } from './kernel/event-record.ts'
export type { BackupResult } from './store/store.ts'
