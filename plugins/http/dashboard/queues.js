/** Queues: how full they are, what is in them, and what an operator does with them. */

import { change, get, step } from './api.js'
import { attempt, confirm, open, tell } from './dialogs.js'
import { $, button, cell, el, keep, setText, showFacts } from './dom.js'
import { count, moment, size } from './format.js'
import { List, row } from './list.js'

const SHOWN = 20
/** Characters of a payload that are shown. */
const MAX_PAYLOAD = 2_000

const COLUMNS = [
  { name: 'Name', kind: 'name' },
  { name: 'Messages', kind: 'number' },
  { name: 'Ready', kind: 'number' },
  { name: 'In flight', kind: 'number' },
  { name: 'Delayed', kind: 'number' },
  { name: 'Consumers', kind: 'number' },
  { name: 'State', kind: 'wide' },
  { name: 'Actions', kind: 'actions' },
]

const list = new List({
  section: $('#queues'),
  path: 'queues',
  noun: 'queues',
  columns: COLUMNS,
  keyOf: ({ name }) => name,
  makeRow,
})
const dialog = $('#queue')
/** The queue that the dialog shows; null: it is closed. */
let shown = null

export async function refreshQueues() {
  await list.refresh()
  if (shown !== null) await showDetails(shown)
}

function makeRow({ name }) {
  let paused = false
  const numbers = COLUMNS.slice(1, 6).map((column) => cell(column))
  const state = el('span', { class: 'state' })
  const toggle = button('Pause', () => setPaused(name, !paused))
  const look = button(name, () => openQueue(name), { class: 'link' })
  const element = row(cell(COLUMNS[0], look), ...numbers, cell(COLUMNS[6], state), cell(COLUMNS[7], toggle))
  const update = (queue) => {
    paused = queue.paused
    const { length, ready, inFlight, delayed, resting, consumers } = queue
    for (const [i, number] of [length, ready, inFlight, delayed + resting, consumers].entries()) {
      setText(numbers[i], count(number))
    }
    showState(state, queue)
    setText(toggle, paused ? 'Resume' : 'Pause')
    toggle.setAttribute('aria-label', `${paused ? 'Resume' : 'Pause'} ${name}`)
  }
  return { element, update }
}

/** Says in a word what may want a look: nobody takes what waits, or it is paused. */
function showState(element, { paused, consumers, length }) {
  const word = paused ? 'paused' : consumers > 0 ? 'consumed' : length > 0 ? 'no consumer' : 'idle'
  setText(element, word)
  element.dataset.state = word
}

const pathOf = (name) => `queues/${step(name)}`

async function setPaused(name, paused) {
  const verb = paused ? 'pause' : 'resume'
  await attempt(async () => {
    await change('POST', `${pathOf(name)}/${verb}`)
    tell(paused ? `${name} is paused: nothing is delivered.` : `${name} is delivered again.`)
    await refreshQueues()
  })
}

function openQueue(name) {
  shown = name
  setText($('h2', dialog), name)
  $('.messages', dialog).replaceChildren()
  $('.toggle', dialog).onclick = () => setPaused(name, $('.toggle', dialog).textContent === 'Resume')
  $('.purge', dialog).onclick = () => purge(name)
  $('.redrive', dialog).onclick = () => redrive(name)
  $('.again', dialog).onclick = () => attempt(() => showMessages(name))
  open(dialog, () => {
    shown = null
  })
  attempt(() => Promise.all([showDetails(name), showMessages(name)]))
}

async function showDetails(name) {
  const queue = await get(pathOf(name)).catch((error) => {
    if (error.code !== 'QUEUE_UNKNOWN') throw error
    dialog.close()
    tell(`${name} is gone: it was empty, and nobody consumes it.`)
  })
  if (queue === undefined || shown !== name) return
  const { length, ready, inFlight, delayed, resting, bytes, consumers, paused, oldestAt, match } = queue
  showFacts($('dl', dialog), [
    ['Messages', count(length)],
    ['Ready', count(ready)],
    ['In flight', count(inFlight)],
    ['Delayed', count(delayed)],
    ['Resting', count(resting)],
    ['Bytes', bytes === null ? 'not counted' : size(bytes)],
    ['Oldest', oldestAt === null ? 'none' : moment(oldestAt)],
    ['Policy', match ?? 'defaults'],
    ['State', paused ? 'paused' : 'running'],
  ])
  setText($('.toggle', dialog), paused ? 'Resume' : 'Pause')
  $('.purge', dialog).disabled = length === inFlight
  $('.redrive', dialog).disabled = length === 0
  keep(
    $('.consumers', dialog),
    consumers.length === 0 ? [null] : consumers,
    (consumer) => (consumer === null ? '' : `${consumer.clientId} ${consumer.filter}`),
    makeConsumer,
  )
}

function makeConsumer(consumer) {
  if (consumer === null) return { element: el('li', { class: 'quiet' }, 'Nobody consumes it.'), update() {} }
  const rest = el('span', { class: 'quiet' })
  return {
    element: el('li', {}, el('strong', {}, consumer.clientId), ' ', rest),
    update: ({ qos, inFlight, connected }) =>
      setText(rest, `QoS ${qos}, ${count(inFlight)} in flight${connected ? '' : ', not connected'}`),
  }
}

async function showMessages(name) {
  const { items } = await get(`${pathOf(name)}/messages`, { limit: SHOWN })
  if (shown !== name) return
  const entries = items.map(messageElement)
  $('.messages', dialog).replaceChildren(
    ...(entries.length > 0 ? entries : [el('li', { class: 'quiet' }, 'There are none.')]),
  )
}

function messageElement({ id, state, payload, encoding, qos, clientId, receivedAt, deliveries, userProperties }) {
  const facts = [
    state,
    `QoS ${qos}`,
    `received ${moment(receivedAt)}${clientId === '' ? '' : ` from ${clientId}`}`,
    ...(deliveries > 0 ? [`${deliveries} ${deliveries === 1 ? 'delivery' : 'deliveries'}`] : []),
    ...(encoding === 'base64' ? ['not text: base64'] : []),
    ...userProperties.map(([key, value]) => `${key}: ${value}`),
  ]
  const text = payload.length > MAX_PAYLOAD ? `${payload.slice(0, MAX_PAYLOAD)}…` : payload
  const head = el('p', {}, el('strong', {}, `#${id}`), ' ', el('span', { class: 'quiet' }, facts.join(' · ')))
  return el('li', {}, head, el('pre', {}, text))
}

async function purge(name) {
  const text = 'Every message that no consumer has is removed for good. This cannot be undone.'
  if (!(await confirm(`Purge ${name}?`, text, 'Purge'))) return
  await attempt(async () => {
    const { messages } = await change('POST', `${pathOf(name)}/purge`)
    tell(`${count(messages)} ${messages === 1 ? 'message' : 'messages'} removed from ${name}.`)
    await afterwards(name)
  })
}

async function redrive(name) {
  const text =
    'Dead letters go back to the queues that they come from, and are delivered there again. Other messages stay here.'
  if (!(await confirm(`Redrive ${name}?`, text, 'Redrive'))) return
  await attempt(async () => {
    const { moved, left } = await change('POST', `${pathOf(name)}/redrive`)
    tell(`${count(moved)} sent back from ${name}, ${count(left)} left there.`)
    await afterwards(name)
  })
}

async function afterwards(name) {
  await refreshQueues()
  if (shown === name) await showMessages(name)
}
