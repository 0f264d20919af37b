/**
 * The catalogue of events, whole: each is made to happen with a real broker and real clients, seen as they are told, and is a
 * CloudEvent with the data that is declared. An event of which no scene tells fails here.
 */

import { describe, expect, it } from 'vitest'
import { EVENT_TYPES } from '../../src/core/event-types.ts'
import type { CloudEvent } from '../../src/kernel/event-record.ts'
import { expectCloudEvent } from '../helpers/cloud-event.ts'
import { until } from '../helpers/until.ts'
import { BROKER_SCENES } from './catalogue/broker.ts'
import { CLIENT_SCENES } from './catalogue/clients.ts'
import { MESSAGE_SCENES } from './catalogue/messages.ts'
import { QUEUE_SCENES } from './catalogue/queues.ts'

const SCENES = [...BROKER_SCENES, ...CLIENT_SCENES, ...MESSAGE_SCENES, ...QUEUE_SCENES]

function matches(event: CloudEvent, type: string, expected: object): boolean {
  if (event.type !== type) return false
  try {
    expect(event.data).toMatchObject(expected)
    return true
  } catch {
    return false
  }
}

describe('the events of the catalogue are told when', () => {
  it.each(SCENES)('$name', { timeout: 40_000 }, async ({ play, sees }) => {
    const told = await play()
    for (const [type, expected] of Object.entries(sees)) {
      const what = `${type} is told with ${JSON.stringify(expected)}`
      await until(what, () => told().some((event) => matches(event, type, expected)))
    }
    for (const event of told()) expectCloudEvent(event)
  })
})

it('no event of the catalogue is left out', () => {
  const seen = new Set(SCENES.flatMap(({ sees }) => Object.keys(sees)))
  expect(EVENT_TYPES.filter((type) => !seen.has(type))).toEqual([])
})
