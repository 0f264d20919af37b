/** The options of MQTT itself: what a client may send, and what it is told that it may. */

import { MAX_TOPIC_BYTES } from '../core/topics.ts'
import {
  duration,
  durationOr,
  flag,
  group,
  integer,
  LARGEST_PACKET,
  LONGEST_TIMER,
  MAX_TOPIC_LEVELS,
  size,
} from './kinds.ts'

/** Two bytes of seconds. */
const LONGEST_KEEP_ALIVE = '65535s'

export const mqtt = group({
  maxPacketSize: size(1, LARGEST_PACKET).prefault('10MB').describe('Largest packet that a client may send.'),
  maxTopicLevels: integer(1, MAX_TOPIC_LEVELS)
    .prefault(MAX_TOPIC_LEVELS)
    .describe('Most levels that a topic or a filter may have.'),
  maxTopicLength: integer(1, MAX_TOPIC_BYTES)
    .prefault(MAX_TOPIC_BYTES)
    .describe('Most bytes of UTF-8 that a topic or a filter may have.'),
  // Five fields of 65,535 bytes each, and as much again for the user properties of the connection and of its will.
  maxConnectSize: size(1_024, LARGEST_PACKET)
    .prefault('512KB')
    .describe('Largest CONNECT; never more than maxPacketSize.'),
  connectTimeout: duration('1ms', LONGEST_TIMER).prefault('10s').describe('Time that a client has to send CONNECT.'),
  maxKeepAlive: durationOr('none', '1s', LONGEST_KEEP_ALIVE)
    .prefault('none')
    .describe('Longest keep alive of an MQTT 5.0 client, which is told: Server Keep Alive.'),
  checkPayloadFormat: flag()
    .prefault(false)
    .describe('Whether a payload that an MQTT 5.0 client declares as UTF-8 is refused when it is not.'),
  // Half of all packet identifiers: the mqtt package does not look at it, and sends all that a program hands it at once.
  receiveMaximum: integer(1, 65_535)
    .prefault(32_767)
    .describe('QoS 1 and 2 messages that an MQTT 5.0 client may have under way to the broker: Receive Maximum.'),
  topicAliasMaximum: integer(0, 65_535)
    .prefault(10)
    .describe('Topic aliases of MQTT 5.0 that a connection may have in each direction; 0 for none.'),
})
