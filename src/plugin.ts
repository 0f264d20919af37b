/** The public API for plugins (`eventflow/plugin`): all that a plugin may import of us. */

export type { Clock, Timer } from './core/clock.ts'
export { type Counter, type Counters, type Gauges, QueueCounters } from './core/counters.ts'
export { type ErrorCode, EventflowError } from './core/errors.ts'
export { EVENT_TYPES, RARE_EVENT_TYPES } from './core/event-types.ts'
export type { EventListener, EventMap, Events, EventType } from './core/events.ts'
export { isUsername, readRoles, readTopicRules } from './core/foreign-identity.ts'
export { type Action, type Actions, type Grants, ruleTopicProblem, type TopicRule } from './core/grants.ts'
export { Message, type MessageFields, type QoS } from './core/message.ts'
export { Mark, Pace } from './core/rates.ts'
export { ReasonCode, Refusal } from './core/reason-codes.ts'
export { TimeHeap } from './core/time-heap.ts'
export { covers, filterProblem, hasWildcard, isShared, matches, topicProblem } from './core/topics.ts'
export { Turns } from './core/turns.ts'
export { textOf, webProblemOf } from './core/web-answer.ts'
export type { EventChronicle, Follower, RecentQuery } from './kernel/chronicle.ts'
export type { CloudEvent, CloudEventOf, EventRecord } from './kernel/event-record.ts'
export {
  type AfterGrant,
  type Apply,
  type AuthenticationExchange,
  type AuthenticationMethod,
  type AuthenticationStep,
  type Authenticator,
  type Authorizer,
  type ClientCertificate,
  type Credentials,
  type Decision,
  definePlugin,
  type Identity,
  type Logger,
  type Namespace,
  type Plugin,
  type PluginContext,
  type PluginInstance,
  type ReloadResult,
  type SessionDetails,
  type SessionView,
  type Subscription,
} from './kernel/plugin-contract.ts'
export { type Route, SubscriptionSet } from './kernel/subscription-set.ts'
export type {
  Interrupted,
  OutboxContract,
  Outgoing,
  Receiver,
  ResumingOutbox,
  Settlement,
} from './session/outbox-contract.ts'
export { NEVER_EXPIRES } from './session/session.ts'
export { LineFile, type LineFileParts } from './store/line-file.ts'
export { Schedule, type ScheduleParts } from './store/schedule.ts'
export type { LogEntry, LogSummary, MessageLog, Store, StoredMessage } from './store/store.ts'
export {
  allUserProperties,
  correlationDataIn,
  type MadeProperties,
  madeProperties,
  userProperties,
  userPropertiesIn,
  withoutUserProperties,
} from './wire/properties.ts'
