/** Queues: how full they are, how fast they move, who consumes them, and their dead letters beside them. */

import { $, button, cell, el, setNumber, setText } from './dom.js'
import { age, count, rate } from './format.js'
import { List, row } from './list.js'
import { openQueue, refreshQueue } from './queue.js'
import { pauseOrResume, redrive } from './queue-actions.js'
import { publishLine } from './teach.js'

const COLUMNS = [
  { name: 'Name', kind: 'name' },
  { name: 'State', kind: 'wide' },
  { name: 'Ready', kind: 'number' },
  { name: 'In flight', kind: 'number' },
  { name: 'Later', kind: 'number extra' },
  { name: 'Oldest', kind: 'number' },
  { name: 'In/s', kind: 'number' },
  { name: 'Out/s', kind: 'number' },
  { name: 'Consumers', kind: 'number' },
  { name: 'Dead letters', kind: 'number wide' },
  { name: 'Actions', kind: 'actions' },
]

const list = new List({
  section: $('#queues'),
  path: () => 'queues',
  query: (search) => ({ search, sort: $('#queues-sort').value }),
  columns: COLUMNS,
  keyOf: ({ name }) => name,
  makeRow,
  describe: (search) =>
    search === ''
      ? ['There are no queues. One comes to be when somebody uses it:', publishLine('-q 1 -t queue/orders -m hello')]
      : `No queue has “${search}” in its name.`,
})

export const queuesView = { refresh }

async function refresh() {
  await list.refresh()
  await refreshQueue()
}

function makeRow({ name }) {
  let queue = null
  const [stateCell, ...numbers] = COLUMNS.slice(1, -2).map((column) => cell(column))
  const state = el('span', { class: 'state' })
  stateCell.append(state)
  const look = button(name, () => openQueue(name, refresh), { class: 'link' })
  const dead = deadLettersOf(() => queue, refresh)
  const toggle = button('Pause', () => pauseOrResume(queue, refresh))
  const element = row(
    cell(COLUMNS[0], look),
    ...[stateCell, ...numbers],
    cell(COLUMNS[9], ...dead.elements),
    cell(COLUMNS[10], toggle),
  )
  const update = (shown) => {
    queue = shown
    showState(state, queue)
    for (const [i, [number, text]] of numbersOf(queue).entries()) setNumber(numbers[i], number, text)
    dead.update()
    const verb = queue.paused ? 'Resume' : 'Pause'
    setText(toggle, verb)
    toggle.setAttribute('aria-label', `${verb} ${name}`)
  }
  return { element, update }
}

function numbersOf({ ready, inFlight, delayed, resting, oldestAt, rates, consumers }) {
  const counts = [ready, inFlight, delayed + resting].map((number) => [number, count(number)])
  const oldest = [oldestAt, oldestAt === null ? '–' : age(oldestAt)]
  const moves = [rates.in, rates.out].map((number) => [number, rate(number)])
  return [...counts, oldest, ...moves, [consumers, count(consumers)]]
}

/** How many there are, which leads to them, and a button that sends them back. */
function deadLettersOf(queueOf, done) {
  const look = button('', () => openQueue(queueOf().deadLetters.name, done), { class: 'link' })
  const none = el('span', { class: 'zero' })
  const back = button('Redrive', () => redrive(queueOf().deadLetters.name, done))
  const update = () => {
    const { name, deadLetters } = queueOf()
    const length = deadLetters?.length ?? 0
    setText(none, deadLetters === null ? '–' : '0')
    setText(look, count(length))
    look.setAttribute('aria-label', `${length} dead letters of ${name}`)
    back.setAttribute('aria-label', `Redrive dead letters of ${name}`)
    none.hidden = length > 0
    look.hidden = back.hidden = length === 0
  }
  return { elements: [none, look, back], update }
}

/** Says in a word what may want a look: nobody takes what waits, or it is paused. */
function showState(element, { paused, consumers, length }) {
  const [word, state] = paused
    ? ['paused', 'warn']
    : consumers > 0
      ? ['consumed', 'good']
      : length > 0
        ? ['no consumer', 'warn']
        : ['idle', 'idle']
  setText(element, word)
  element.dataset.state = state
}
