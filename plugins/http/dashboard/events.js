/**
 * Events as they happen, the newest first: of some areas, clients and queues, which the broker chooses, and with some text, which is
 * chosen here. When the stream ends it is asked for again from the event that came last, so none is shown twice; where some may be
 * missing, a line says so. The page shows them a few times a second and the last ones only, so that a busy broker does not hold it up.
 */

import { follow } from './api.js'
import { $, el, setText } from './dom.js'
import { clock, counted } from './format.js'

const MOST = 200
const RECENT = 50
const RETRY_MS = 2_000
const DRAW_MS = 150
const TYPING_MS = 300
const MAY_BE_MISSING =
  'The connection was away here. Some events may be missing: those of messages are not kept, others only the last thousand.'

const log = $('#log')
const pause = $('#events-pause')
const text = $('#events-text')
const fields = { client: $('#events-client'), queue: $('#events-queue') }
/** Elements that wait to be shown, oldest first. */
let waiting = []
let drawing = false
let stream = null
/** The id of the event that came last. */
let last = ''

const typesChosen = () => [...document.querySelectorAll('#areas input:checked')].map(({ value }) => `${value}.*`).join()
const isPaused = () => pause.getAttribute('aria-pressed') === 'true'
const say = (words) => setText($('#events-state'), words)

/** Follows while the view is open. */
export const eventsView = { open: () => stream ?? run(), close: end }

/** Opens the view with the events of one client. */
export function showEventsOf(clientId) {
  fields.client.value = clientId
  fields.queue.value = ''
  location.hash = '#events'
  begin()
}

function end() {
  stream?.abort()
  stream = null
}

/** From the beginning: something else is chosen. */
function begin() {
  end()
  clear()
  last = ''
  run()
}

async function run() {
  const mine = new AbortController()
  stream = mine
  while (stream === mine) {
    const type = typesChosen()
    if (type === '') return say('No area is chosen.')
    say('Connecting…')
    const query = { type, client: fields.client.value.trim(), queue: fields.queue.value.trim(), recent: RECENT }
    try {
      await follow(query, last, mine.signal, {
        open: () => say('Following.'),
        event: (event) => stream === mine && take(event),
        resumed: ({ complete }) => !complete && add(gapElement(MAY_BE_MISSING)),
        lost: ({ events }) => add(gapElement(`${counted(events, 'event')} left out: more than this connection takes.`)),
      })
    } catch (error) {
      if (error.code === 'EVENT_UNKNOWN') return say(error.message)
    }
    if (stream !== mine) return
    say('The stream of events ended; asking for it again…')
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}

function take(event) {
  last = event.id
  add(eventElement(event))
}

function add(element) {
  waiting.push(element)
  if (waiting.length > MOST) waiting.shift()
  if (isPaused()) pause.textContent = `Go on (${waiting.length} new)`
  else draw()
}

function draw() {
  if (drawing) return
  drawing = true
  setTimeout(() => {
    drawing = false
    if (isPaused()) return
    log.prepend(...waiting.splice(0).reverse())
    while (log.childElementCount > MOST) log.lastElementChild.remove()
  }, DRAW_MS)
}

function eventElement({ type, time, data }) {
  const facts = Object.entries(data).flatMap(([name, value]) => {
    const shown = typeof value === 'string' ? value : JSON.stringify(value)
    return [el('span', { class: 'fact' }, el('span', { class: 'quiet' }, `${name} `), shown), ' ']
  })
  const when = el('time', { datetime: time }, clock(time, 3))
  const element = el('li', {}, when, el('strong', {}, type), el('span', { class: 'data' }, ...facts))
  element.hidden = !contains(element)
  return element
}

const gapElement = (words) => el('li', { class: 'gap' }, words)

const contains = (element) => element.textContent.toLowerCase().includes(text.value.trim().toLowerCase())

function clear() {
  log.replaceChildren()
  waiting = []
}

text.addEventListener('input', () => {
  for (const element of log.children) element.hidden = !contains(element)
})
pause.addEventListener('click', () => {
  pause.setAttribute('aria-pressed', String(!isPaused()))
  pause.textContent = isPaused() ? 'Go on' : 'Pause'
  if (!isPaused()) draw()
})
$('#events-clear').addEventListener('click', clear)
$('#areas').addEventListener('change', begin)
let typing
for (const field of Object.values(fields)) {
  field.addEventListener('input', () => {
    clearTimeout(typing)
    typing = setTimeout(begin, TYPING_MS)
  })
}
