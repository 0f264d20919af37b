/** Retained messages: found by a filter, looked at, cleared. A list that is read when it is asked for, since the broker looks at all of them. */

import { change, get, step } from './api.js'
import { attempt, confirm, open, tell } from './dialogs.js'
import { $, button, cell, setText, showFacts } from './dom.js'
import { count, moment, size } from './format.js'
import { List, row } from './list.js'
import { readable } from './messages.js'
import { publishLine } from './teach.js'

/** Bytes of payload: for a line of the list, and for the sheet. */
const LINE_BYTES = 120
const SHEET_BYTES = 65_536

const COLUMNS = [
  { name: 'Topic', kind: 'name' },
  { name: 'Payload', kind: 'payload' },
  { name: 'Size', kind: 'number' },
  { name: 'QoS', kind: 'number' },
  { name: 'Received', kind: 'short extra' },
  { name: 'Actions', kind: 'actions' },
]
const dialog = $('#message')

const list = new List({
  section: $('#retained'),
  path: () => 'retained',
  query: (filter) => ({ filter, payloadLimit: LINE_BYTES }),
  columns: COLUMNS,
  keyOf: ({ topic }) => topic,
  makeRow,
  describe: (filter) =>
    filter === ''
      ? [
          'No message is retained. One is, for whoever subscribes later, with this:',
          publishLine('-r -t plant/temperature -m 21.5'),
        ]
      : `No retained message is on a topic that ${filter} matches.`,
})

export const retainedView = { open: () => list.refresh() }

function makeRow({ topic }) {
  const cells = COLUMNS.slice(1, -1).map((column) => cell(column))
  const look = button(topic, () => openMessage(topic), { class: 'link' })
  const clear = button('Clear…', () => clearTopic(topic), { 'aria-label': `Clear ${topic}` })
  const update = (message) => {
    const { bytes, qos, receivedAt } = message
    const texts = [readable(message), size(bytes), count(qos), receivedAt === null ? '–' : moment(receivedAt)]
    for (const [i, text] of texts.entries()) setText(cells[i], text)
  }
  return { element: row(cell(COLUMNS[0], look), ...cells, cell(COLUMNS.at(-1), clear)), update }
}

/** A topic is a filter that matches itself alone: `limit` 1 is it, or there is none any more. */
async function openMessage(topic) {
  await attempt(async () => {
    const { items } = await get('retained', { filter: topic, limit: 1, payloadLimit: SHEET_BYTES })
    const [message] = items
    if (message === undefined) throw new Error('there is no retained message any more')
    const { bytes, qos, clientId, receivedAt, expiresAt } = message
    setText($('h2', dialog), topic)
    showFacts($('dl', dialog), [
      ['Size', size(bytes)],
      ['QoS', qos],
      ['From', clientId === '' ? 'the broker' : clientId],
      ['Received', receivedAt === null ? 'not known' : moment(receivedAt)],
      ['Expires', expiresAt === null ? 'never' : moment(expiresAt)],
    ])
    setText($('pre', dialog), readable(message))
    $('.clear', dialog).onclick = () => clearTopic(topic)
    open(dialog, null)
  })
}

async function clearTopic(topic) {
  const text =
    'Who subscribes from now on does not get it. Those that are subscribed get the empty message that clears it.'
  if (!(await confirm(`Clear ${topic}?`, text, 'Clear'))) return
  await attempt(async () => {
    await change('DELETE', `retained/${step(topic)}`)
    if (dialog.open) dialog.close()
    tell(`The retained message of ${topic} is cleared.`)
    await list.refresh()
  })
}
