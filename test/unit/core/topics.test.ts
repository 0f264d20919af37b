/** Topic names and filters, with the examples of MQTT 5.0 section 4.7. */

import { describe, expect, it } from 'vitest'
import {
  covers,
  filterBehind,
  filterProblem,
  hasWildcard,
  isShared,
  matches,
  topicProblem,
} from '../../../src/core/topics.ts'

const LEVELS = 5

describe('a topic name', () => {
  it.each(['a', '/', '//', 'a/b', '/a', 'a/', 'a b', '$SYS/x', 'straße/東京', 'a/b/c/d/e'])('may be %j', (topic) =>
    expect(topicProblem(topic, LEVELS)).toBeNull(),
  )

  it.each([
    ['is not empty [MQTT-4.7.3-1]', ''],
    ['has no + [MQTT-3.3.2-2]', 'a/+'],
    ['has no + within a level either [MQTT-3.3.2-2]', 'a+b'],
    ['has no # [MQTT-3.3.2-2]', 'a/#'],
    ['has no U+0000 [MQTT-4.7.3-2]', 'a\0b'],
    ['has no more levels than are allowed', 'a/b/c/d/e/f'],
    ['has no more empty levels than are allowed', '/////'],
  ])('%s', (_rule, topic) => expect(topicProblem(topic, LEVELS)).toEqual(expect.any(String)))
})

describe('a topic filter', () => {
  it.each(['#', '+', '/', 'a/#', 'a/+/b', '+/+', '/+', '+/', '$SYS/#', 'a/b', '+/#', 'a/b/c/d/#'])(
    'may be %j',
    (filter) => expect(filterProblem(filter, LEVELS)).toBeNull(),
  )

  it.each([
    ['is not empty [MQTT-4.7.3-1]', ''],
    ['has no U+0000 [MQTT-4.7.3-2]', '\0'],
    ['has # in its last level only [MQTT-4.7.1-1]', 'a/#/b'],
    ['has # as a whole level [MQTT-4.7.1-1]', 'a#'],
    ['has # as a whole level, behind a separator too [MQTT-4.7.1-1]', 'a/b#'],
    ['has no # beside + in a level', 'a/+#'],
    ['has + as a whole level [MQTT-4.7.1-2]', 'a+'],
    ['has + as a whole level, in the middle too [MQTT-4.7.1-2]', 'a/b+/c'],
    ['has + once in a level [MQTT-4.7.1-2]', '++'],
    ['has no more levels than are allowed', 'a/b/c/d/e/#'],
  ])('%s', (_rule, filter) => expect(filterProblem(filter, LEVELS)).toEqual(expect.any(String)))

  it.each(['$share/g/a', '$share/g/#', '$share/g//', '$share/g h/a/b/c/d/e', '$share', '$shared/a'])(
    'of a shared subscription, or not, may be %j',
    (filter) => expect(filterProblem(filter, LEVELS)).toBeNull(),
  )

  it.each([
    ['has a group with a name [MQTT-4.8.2-1]', '$share//a'],
    ['has a group with a name and a filter behind it', '$share/'],
    ['has a group without wildcards [MQTT-4.8.2-2]', '$share/g+/a'],
    ['has a group without wildcards, of one character either [MQTT-4.8.2-2]', '$share/#/a'],
    ['has a group without U+0000', '$share/g\0/a'],
    ['has a filter behind its group [MQTT-4.8.2-2]', '$share/g'],
    ['has a filter that is not empty behind its group', '$share/g/'],
    ['has a good filter behind its group', '$share/g/a#'],
    ['has no more levels behind its group than are allowed', '$share/g/a/b/c/d/e/f'],
    ['has no group behind its group', '$share/g/$share/h/a'],
  ])('of a shared subscription %s', (_rule, filter) =>
    expect(filterProblem(filter, LEVELS)).toEqual(expect.any(String)),
  )

  it('of a shared subscription receives what the filter behind its group does', () => {
    expect(['$share/g/a/#', '$share/g//a', 'a/b', '$share'].map(filterBehind)).toEqual(['a/#', '/a', 'a/b', '$share'])
    expect(['$share/g/a', '$share', '$shared/a'].map(isShared)).toEqual([true, false, false])
  })

  it('has a wildcard, or not', () => {
    expect(['a/+', '#', '+/b'].map(hasWildcard)).toEqual([true, true, true])
    expect(['a', '/', '$SYS/a'].map(hasWildcard)).toEqual([false, false, false])
  })
})

describe('a filter matches', () => {
  it.each([
    ['sport/tennis/player1/#', 'sport/tennis/player1'], // 4.7.1.2
    ['sport/tennis/player1/#', 'sport/tennis/player1/ranking'],
    ['sport/tennis/player1/#', 'sport/tennis/player1/score/wimbledon'],
    ['sport/#', 'sport'],
    ['#', 'a/b/c'],
    ['#', '/'],
    ['sport/tennis/+', 'sport/tennis/player1'], // 4.7.1.3
    ['sport/+', 'sport/'],
    ['+/+', '/finance'],
    ['/+', '/finance'],
    ['$SYS/#', '$SYS/monitor/clients'], // 4.7.2
    ['$SYS/monitor/+', '$SYS/monitor/Clients'],
    ['a/+', 'a/$b'],
    ['a', 'a'],
  ])('%j: %j', (filter, topic) => expect(matches(filter, topic)).toBe(true))
})

describe('a filter does not match', () => {
  it.each([
    ['sport/tennis/+', 'sport/tennis/player1/ranking'],
    ['sport/+', 'sport'],
    ['+', '/finance'],
    ['a', 'A'], // 4.7.3: case sensitive
    ['a', '/a'],
    ['a/', 'a'],
    ['a/b', 'a'],
    ['a', 'a/b'],
    ['a/#', 'ab'],
  ])('%j: %j', (filter, topic) => expect(matches(filter, topic)).toBe(false))

  it.each([
    ['#', '$SYS'],
    ['#', '$SYS/a'],
    ['+/monitor/Clients', '$SYS/monitor/Clients'],
    ['+', '$SYS'],
    ['+/#', '$SYS/a'],
  ])('what starts with $, when it starts with a wildcard [MQTT-4.7.2-1]: %j, %j', (filter, topic) =>
    expect(matches(filter, topic)).toBe(false),
  )
})

describe('a filter covers', () => {
  it.each([
    ['#', 'a'],
    ['#', '#'],
    ['#', '+/a'],
    ['a/#', 'a'],
    ['a/#', 'a/#'],
    ['a/#', 'a/+/b'],
    ['+', '+'],
    ['+', 'a'],
    ['+/b', 'a/b'],
    ['a/+/c', 'a/+/c'],
    ['$SYS/#', '$SYS/+'],
    ['a/+', 'a/$b'],
  ])('%j: all of %j', (wide, narrow) => expect(covers(wide, narrow)).toBe(true))
})

describe('a filter does not cover', () => {
  it.each([
    ['a', '+'],
    ['a', '#'],
    ['+', '#'],
    ['a/+', 'a/#'],
    ['a/b', 'a/+'],
    ['a/b/#', 'a/#'],
    ['a/b', 'a'],
    ['a', 'a/b'],
    ['a/+/b', 'a/#'],
  ])('%j: more is in %j', (wide, narrow) => expect(covers(wide, narrow)).toBe(false))

  it.each([
    ['#', '$SYS/a'],
    ['#', '$SYS/#'],
    ['+/a', '$SYS/a'],
  ])('what starts with $, when it starts with a wildcard: %j, %j', (wide, narrow) =>
    expect(covers(wide, narrow)).toBe(false),
  )
})
