/**
 * Events as they happen, the newest first. The page shows them a few times a second and the last ones only, so that a busy
 * broker does not hold it up; while they are held, new ones wait.
 */

import { follow, get } from './api.js'
import { $, el, setText } from './dom.js'
import { clock } from './format.js'

const MOST = 200
const RECENT = 50
const RETRY_MS = 3_000
const DRAW_MS = 150

const log = $('#log')
const hold = $('#events-hold')
const search = $('#events-search')
/** Those that wait to be shown, oldest first. */
let waiting = []
/** By the identifier of each that is shown or waits: those of late are asked for while the stream already runs. */
let known = new Set()
let drawing = false
let stream = null

const typesChosen = () => [...document.querySelectorAll('#areas input:checked')].map(({ value }) => `${value}.*`).join()
const isHeld = () => hold.getAttribute('aria-pressed') === 'true'

/** Follows while the view is open. */
export function openEvents() {
  if (stream === null) run()
}

export function closeEvents() {
  stream?.abort()
  stream = null
}

async function run() {
  const mine = new AbortController()
  stream = mine
  while (stream === mine) {
    const types = typesChosen()
    if (types === '') return say('No area is chosen.')
    say('Connecting…')
    try {
      await follow(types, mine.signal, () => opened(types, mine), take)
    } catch (error) {
      if (error.code === 'EVENT_UNKNOWN') return say(error.message)
    }
    if (stream !== mine) return
    say('The stream ended; trying again…')
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}

async function opened(types, mine) {
  say('Following.')
  const { items } = await get('events', { type: types, limit: RECENT }).catch(() => ({ items: [] }))
  if (stream === mine) for (const event of items) take(event)
}

const say = (text) => setText($('#events-state'), text)

function take(event) {
  if (known.has(event.id)) return
  known.add(event.id)
  waiting.push(event)
  if (waiting.length > MOST) known.delete(waiting.shift().id)
  if (isHeld()) hold.textContent = `Go on (${waiting.length})`
  else draw()
}

function draw() {
  if (drawing) return
  drawing = true
  setTimeout(() => {
    drawing = false
    if (isHeld()) return
    waiting.sort((a, b) => (a.time < b.time ? -1 : a.time > b.time ? 1 : a.sequence < b.sequence ? -1 : 1))
    log.prepend(...waiting.splice(0).reverse().map(eventElement))
    while (log.childElementCount > MOST) {
      known.delete(log.lastElementChild.dataset.id)
      log.lastElementChild.remove()
    }
  }, DRAW_MS)
}

function eventElement({ id, type, time, data }) {
  const facts = Object.entries(data).flatMap(([name, value]) => {
    const text = typeof value === 'string' ? value : JSON.stringify(value)
    return [el('span', { class: 'fact' }, el('span', { class: 'quiet' }, `${name} `), text), ' ']
  })
  const element = el(
    'li',
    { 'data-id': id },
    el('time', { datetime: time }, clock(time, 3)),
    el('strong', { 'data-area': type.split('.', 1)[0] }, type),
    el('span', { class: 'data' }, ...facts),
  )
  element.hidden = !contains(element)
  return element
}

const contains = (element) => element.textContent.toLowerCase().includes(search.value.trim().toLowerCase())

function clear() {
  log.replaceChildren()
  waiting = []
  known = new Set()
}

search.addEventListener('input', () => {
  for (const element of log.children) element.hidden = !contains(element)
})
hold.addEventListener('click', () => {
  hold.setAttribute('aria-pressed', String(!isHeld()))
  hold.textContent = isHeld() ? 'Go on' : 'Hold'
  if (!isHeld()) draw()
})
$('#events-clear').addEventListener('click', clear)
$('#areas').addEventListener('change', () => {
  closeEvents()
  clear()
  openEvents()
})
