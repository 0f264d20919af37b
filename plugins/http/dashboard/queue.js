/** One queue in a sheet: its numbers, its consumers, its first messages (looked at, not consumed), and what is done with it. */

import { get } from './api.js'
import { takeFrom } from './console.js'
import { attempt, open, tell } from './dialogs.js'
import { $, el, keep, setText, showFacts } from './dom.js'
import { age, count, moment, rate, size } from './format.js'
import { messageElement, readable, SHOWN_BYTES } from './messages.js'
import { pathOf, pauseOrResume, purge, redrive, remove } from './queue-actions.js'

const SHOWN = 20

const dialog = $('#queue')
/** The queue that is shown, as it was read last; null: the sheet is closed. */
let shown = null

/** @param changed called after something was done with it */
export function openQueue(name, changed) {
  shown = { name }
  setText($('h2', dialog), name)
  $('dl', dialog).replaceChildren()
  $('.messages', dialog).replaceChildren()
  const afterwards = async () => {
    await changed()
    if (shown?.name === name) await showMessages()
  }
  const on = (selector, act) => {
    $(selector, dialog).onclick = act
  }
  on('.toggle', () => pauseOrResume(shown, afterwards))
  on('.redrive', () => redrive(deadLettersIn(shown), afterwards))
  on('.purge', () => purge(name, afterwards))
  on('.delete', () =>
    remove(name, async () => {
      dialog.close()
      await changed()
    }),
  )
  on('.again', () => attempt(showMessages))
  on('.take', () => {
    dialog.close()
    takeFrom(name)
  })
  open(dialog, () => {
    shown = null
  })
  attempt(() => Promise.all([refreshQueue(), showMessages()]))
}

export async function refreshQueue() {
  if (shown === null) return
  const { name } = shown
  const queue = await get(pathOf(name)).catch((error) => {
    if (error.code !== 'QUEUE_UNKNOWN') throw error
    if (shown?.name !== name) return
    dialog.close()
    tell(`${name} is gone: it was empty, and nobody consumes it.`)
  })
  if (queue === undefined || shown?.name !== name) return
  shown = queue
  showFacts($('dl', dialog), factsOf(queue))
  setText($('.toggle', dialog), queue.paused ? 'Resume' : 'Pause')
  $('.purge', dialog).disabled = queue.length === queue.inFlight
  $('.redrive', dialog).hidden = deadLettersIn(queue) === null
  showConsumers(queue)
}

/** A queue for dead letters has none of its own; one whose dead letters are elsewhere is redriven from the list. */
function deadLettersIn({ name, deadLetterQueue, length }) {
  return deadLetterQueue === null && length > 0 ? name : null
}

function factsOf({ length, ready, inFlight, delayed, resting, bytes, oldestAt, match, rates, paused, ...rest }) {
  const { counters, deadLetterQueue } = rest
  return [
    ['State', paused ? 'paused' : 'running'],
    ['Messages', count(length)],
    ['Ready', count(ready)],
    ['In flight', count(inFlight)],
    ['Delayed', count(delayed)],
    ['Resting', count(resting)],
    ['Oldest', oldestAt === null ? 'none' : `${age(oldestAt)} ago`],
    ['In/s', rate(rates.in)],
    ['Out/s', rate(rates.out)],
    ['Bytes', bytes === null ? 'not counted' : size(bytes)],
    ['Acknowledged', count(counters.acknowledged)],
    ['Redelivered', count(counters.redelivered)],
    ['Policy', match ?? 'defaults'],
    ['Queue for dead letters', deadLetterQueue ?? 'none'],
  ]
}

function showConsumers({ consumers }) {
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
    update: ({ filter, qos, inFlight, connected }) =>
      setText(rest, `${filter}, QoS ${qos}, ${count(inFlight)} in flight${connected ? '' : ', not connected'}`),
  }
}

async function showMessages() {
  const { name } = shown
  const { items } = await get(`${pathOf(name)}/messages`, { limit: SHOWN, payloadLimit: SHOWN_BYTES })
  if (shown?.name !== name) return
  const none = el('li', { class: 'quiet' }, 'There are none.')
  $('.messages', dialog).replaceChildren(...(items.length > 0 ? items.map(peekedElement) : [none]))
}

function peekedElement(message) {
  const { id, state, qos, clientId, receivedAt, expiresAt, deliveries, priority, group, userProperties } = message
  const facts = [
    state,
    `QoS ${qos}`,
    `received ${moment(receivedAt)}${clientId === '' ? '' : ` from ${clientId}`}`,
    expiresAt === null ? '' : `expires ${moment(expiresAt)}`,
    deliveries === 0 ? '' : deliveries === 1 ? '1 delivery' : `${deliveries} deliveries`,
    priority === 0 ? '' : `priority ${priority}`,
    group === null ? '' : `group ${group}`,
    ...userProperties.map(([key, value]) => `${key}: ${value}`),
  ]
  return messageElement(`#${id}`, facts, message.bytes === 0 ? '(empty)' : readable(message))
}
