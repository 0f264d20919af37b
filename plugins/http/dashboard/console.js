/** The console: subscribe and publish as any MQTT client does, over one connection that is made at the first use. */

import { attempt, sentence, tell } from './dialogs.js'
import { $, button, el, setText } from './dom.js'
import { clock } from './format.js'
import { messageElement, readableBytes, userPropertiesOf } from './messages.js'
import { connect } from './mqtt-link.js'
import { take } from './take.js'

const MOST = 200
const DRAW_MS = 150

const subscribeForm = $('#subscribe-form')
const publishForm = $('#publish-form')
const inbox = $('#inbox')
let client = null
/** A promise while it is being connected. */
let connecting = null
/** QoS by filter. */
const subscribed = new Map()
/** Messages that wait to be shown, oldest first. */
const waiting = []
let drawing = false

export const consoleView = { open: showEmpty }

/** Opens the view to take messages from a queue. */
export function takeFrom(name) {
  location.hash = '#console'
  $('#take-form').elements.queue.value = name
  take(name)
}

const say = (words) => setText($('#console-state'), words)

/** @returns null when nobody said who it is */
async function link() {
  if (client !== null) return client
  connecting ??= connect({}).finally(() => {
    connecting = null
  })
  say('Connecting…')
  const made = await connecting.catch((error) => {
    say(sentence(error.message))
    throw error
  })
  if (made === null) say('Not connected.')
  else if (client === null) begin(made)
  return client
}

function begin(made) {
  client = made
  const here = () => say(`Connected as ${made.options.clientId}.`)
  here()
  made.on('message', (topic, payload, packet) => add(topic, payload, packet))
  made.on('connect', here)
  made.on('close', () => client === made && say('The connection is gone. Connecting again…'))
  $('#console-leave').hidden = false
}

function leave() {
  client.end(true)
  client = null
  subscribed.clear()
  showSubscriptions()
  $('#console-leave').hidden = true
  say('Disconnected.')
}

subscribeForm.addEventListener('submit', (event) => {
  event.preventDefault()
  const filter = subscribeForm.elements.filter.value
  const qos = Number(subscribeForm.elements.qos.value)
  busy(subscribeForm, async () => {
    if ((await link()) === null) return
    const [granted] = await client.subscribeAsync(filter, { qos })
    subscribed.set(filter, granted?.qos ?? qos)
    showSubscriptions()
  })
})

function showSubscriptions() {
  const entries = [...subscribed].map(([filter, qos]) => {
    const end = button('Unsubscribe', () => unsubscribe(filter), { 'aria-label': `Unsubscribe from ${filter}` })
    return el('li', {}, el('span', {}, el('code', {}, filter), el('span', { class: 'quiet' }, ` QoS ${qos}`)), end)
  })
  $('#subscriptions').replaceChildren(...entries)
  showEmpty()
}

function unsubscribe(filter) {
  return attempt(async () => {
    await client.unsubscribeAsync(filter)
    subscribed.delete(filter)
    showSubscriptions()
  })
}

publishForm.addEventListener('submit', (event) => {
  event.preventDefault()
  const { topic, payload, qos, retain } = publishForm.elements
  const userProperties = propertiesGiven()
  const options = { qos: Number(qos.value), retain: retain.checked, properties: { userProperties } }
  busy(publishForm, async () => {
    if ((await link()) === null) return
    await client.publishAsync(topic.value, payload.value, options)
    tell(options.qos === 0 ? `Sent to ${topic.value}.` : `Published to ${topic.value}: the broker has it safe.`)
  })
})

/** By name, several values as a list: as the package mqtt takes them. */
function propertiesGiven() {
  const given = {}
  for (const place of $('#properties').children) {
    const [name, value] = [...place.querySelectorAll('input')].map((input) => input.value)
    if (name !== '') given[name] = name in given ? [given[name], value].flat() : value
  }
  return given
}

$('#add-property').addEventListener('click', () => {
  const common = { autocomplete: 'off', autocapitalize: 'none', spellcheck: 'false' }
  const name = el('input', {
    ...common,
    'aria-label': 'Name of the property',
    placeholder: 'name',
    list: 'property-names',
  })
  const value = el('input', { ...common, 'aria-label': 'Value of the property', placeholder: 'value' })
  const place = el(
    'li',
    {},
    name,
    value,
    button('✕', () => place.remove(), { 'aria-label': 'Remove this property' }),
  )
  $('#properties').append(place)
  name.focus()
})

/** One thing at a time. What the broker refuses is told in its words. */
async function busy(form, work) {
  const submit = $('[type=submit]', form)
  submit.disabled = true
  await attempt(work)
  submit.disabled = false
}

function add(topic, payload, { qos, retain, dup, properties = {} }) {
  const facts = [
    clock(Date.now(), 3),
    `QoS ${qos}`,
    retain ? 'retained' : '',
    dup ? 'sent again' : '',
    properties.contentType ?? '',
    ...userPropertiesOf(properties),
  ]
  waiting.push(messageElement(topic, facts, payload.length === 0 ? '(empty)' : readableBytes(payload)))
  if (waiting.length > MOST) waiting.shift()
  if (drawing) return
  drawing = true
  setTimeout(() => {
    drawing = false
    inbox.prepend(...waiting.splice(0).reverse())
    while (inbox.childElementCount > MOST) inbox.lastElementChild.remove()
    showEmpty()
  }, DRAW_MS)
}

function showEmpty() {
  const place = $('#inbox-empty')
  place.hidden = inbox.childElementCount > 0
  const words =
    subscribed.size === 0
      ? 'What comes to your subscriptions is shown here. # subscribes to every topic; queue/orders consumes that queue: what it shows is taken from it.'
      : 'Nothing came yet. Publish something that your subscriptions match.'
  setText(place, words)
}

$('#console-leave').addEventListener('click', leave)
$('#inbox-clear').addEventListener('click', () => {
  inbox.replaceChildren()
  showEmpty()
})
