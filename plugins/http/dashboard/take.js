/**
 * A consumer by hand: one message of a queue at a time, and a person says what becomes of it: done (acknowledged), not now (it comes back
 * later), never (a dead letter). It is an MQTT 5.0 client of its own with a Receive Maximum of 1, so the broker gives it no second one.
 * The package mqtt reads nothing while a message is not acknowledged, so it sends no pings; the broker takes the message back
 * after the queue's `ackTimeout`.
 */

import { attempt, tell } from './dialogs.js'
import { $, button, el, setText } from './dom.js'
import { clock } from './format.js'
import { readableBytes, userPropertiesOf } from './messages.js'
import { connect } from './mqtt-link.js'

/** What a consumer can say: MQTT 5.0, 3.4.2.1. */
const ANSWERS = [
  { word: 'Done', code: 0x00, kind: 'primary', told: 'Done: it has left the queue.' },
  { word: 'Not now', code: 0x80, kind: '', told: 'Not now: it comes back after a while.' },
  { word: 'Never', code: 0x87, kind: 'danger', told: 'Never: it is a dead letter.' },
]

const form = $('#take-form')
const hand = $('#hand')
let consumer = null

const say = (words) => setText($('#take-state'), words)

export function take(name) {
  return attempt(async () => {
    stop()
    say('Connecting…')
    const made = await connect({
      ...{ properties: { receiveMaximum: 1 }, reconnectPeriod: 0, keepalive: 0 },
      customHandleAcks: (_topic, payload, packet, answer) => show(made, payload, packet, answer),
    }).catch((error) => {
      say('')
      throw error
    })
    if (made === null) return say('')
    consumer = made
    made.on('close', () => consumer === made && gone())
    $('#take-stop').hidden = false
    say(`Waiting for a message of ${name}…`)
    await made.subscribeAsync(`queue/${name}`, { qos: 1 })
  })
}

/** What is in hand goes back to the front of its queue, as from any consumer that leaves. */
function stop() {
  const leaving = consumer
  consumer = null
  leaving?.end(true)
  hand.replaceChildren()
  $('#take-stop').hidden = true
  say('')
}

function gone() {
  stop()
  say('The connection ended; what was in hand is in the queue again.')
}

function show(made, payload, { topic, properties = {} }, answer) {
  if (consumer !== made) return
  const facts = userPropertiesOf(properties)
  hand.replaceChildren(
    el('p', { class: 'quiet' }, [`${topic} at ${clock(Date.now())}`, ...facts].join(' · ')),
    el('pre', {}, payload.length === 0 ? '(empty)' : readableBytes(payload)),
    el(
      'p',
      { class: 'row' },
      ...ANSWERS.map(({ word, kind, ...rest }) => button(word, () => settle(answer, rest), { class: kind })),
    ),
  )
  say('This message is yours. What becomes of it?')
}

function settle(answer, { code, told }) {
  hand.replaceChildren()
  tell(told)
  say('Waiting for the next message…')
  // The button that had the focus is gone.
  form.elements.queue.focus()
  answer(null, code)
}

form.addEventListener('submit', (event) => {
  event.preventDefault()
  take(form.elements.queue.value.replace(/^queue\//, ''))
})
$('#take-stop').addEventListener('click', stop)
