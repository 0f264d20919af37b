/** The public API for programs: `import { Eventflow } from 'eventflow'`. It only re-exports. */

export type { Config, ConfigInput } from './config/schema.ts'
export { EventflowError } from './core/errors.ts'
export type { EventListener, EventMap, Events, EventType } from './core/events.ts'
export type { QoS } from './core/message.ts'
export { ReasonCode, Refusal } from './core/reason-codes.ts'
export { Eventflow, type EventflowOptions, type PublishOptions } from './eventflow.ts'
export type { Job, JobIterator } from './job.ts'
